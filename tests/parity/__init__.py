"""Comparisons with RELION's own output, a module a job type."""
