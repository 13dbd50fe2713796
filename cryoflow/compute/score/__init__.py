"""Evidence for particles without labels: whitened micrographs, local correlation, decoys, features."""
