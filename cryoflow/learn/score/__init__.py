"""A calibrated probability of being an intact particle, learnt from the picks themselves without labels."""
