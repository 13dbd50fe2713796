"""Extract: crop particles from micrographs (step 12)."""
