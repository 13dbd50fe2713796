"""Sort: features of what is left of a particle without its reference, and Z-scores."""
