"""A calibrated probability of being a whole particle, learnt from the picks themselves without labels."""
