"""Several specs that feed each other."""
