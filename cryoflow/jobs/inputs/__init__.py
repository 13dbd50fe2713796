"""Inputs of several job types: references, CTF columns, rows of other tables."""
