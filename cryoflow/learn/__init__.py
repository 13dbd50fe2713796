"""Scores learnt from the data: tensors in, tensors out, no files and no specs."""
