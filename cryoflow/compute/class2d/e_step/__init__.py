"""The E-step: the posterior of every particle, and the sums for the M-step."""
