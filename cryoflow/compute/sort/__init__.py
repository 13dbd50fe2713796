"""Sort: features of the residual of each particle, and Z-scores."""
