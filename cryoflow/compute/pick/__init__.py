"""AutoPick: figure-of-merit maps of references, their peaks, and picks."""
