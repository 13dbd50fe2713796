"""Select: keep some of the classes, micrographs or particles (steps 14 and 16)."""
