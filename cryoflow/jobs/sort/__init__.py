"""Sort: rank particles, and learn scores (step 13)."""
