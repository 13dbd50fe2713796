"""Extract: windows of a micrograph, rescaled and normalised."""
