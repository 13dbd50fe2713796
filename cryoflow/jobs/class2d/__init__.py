"""Class2D: group particles into classes and average each (step 15)."""
