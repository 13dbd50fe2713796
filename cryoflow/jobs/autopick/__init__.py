"""AutoPick: find particles in micrographs (steps 10 and 11)."""
