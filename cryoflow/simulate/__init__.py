"""Synthetic projects with ground truth: micrographs, CTF tables, references, object positions."""
