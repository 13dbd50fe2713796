"""What `benchmark.py autopick` picks from, and how it is timed."""
