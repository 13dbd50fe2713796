"""The science: tensors in, NamedTuples of tensors out. No paths, no specs, no printing."""
