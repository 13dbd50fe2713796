"""Several points of one spec: run, and compared in a table."""
