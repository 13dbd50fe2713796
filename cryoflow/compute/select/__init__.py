"""Select: numbers about class averages and particles to select by."""
