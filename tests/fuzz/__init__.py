"""Mutated inputs for all readers: see `run`."""
