"""The M-step: a new model from the sums of the E-step."""
