"""Synthetic projects with ground truth: micrographs, CTF tables, references, and where everything lies."""
