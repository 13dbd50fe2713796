"""Select: keep a subset of classes, micrographs or particles (steps 14 and 16)."""
