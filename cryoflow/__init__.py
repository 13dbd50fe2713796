"""cryoflow: steps 10-16 of the RELION single-particle tutorial as declarative, reproducible jobs."""

__version__ = "0.1.0"
