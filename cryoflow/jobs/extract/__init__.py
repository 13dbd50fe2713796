"""Extract: cut particles out of micrographs (step 12)."""
