"""Projections of a map, and the viewing directions to project it from."""
