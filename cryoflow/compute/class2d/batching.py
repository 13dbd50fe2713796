"""Batch sizes: how many particles to process at once."""

from __future__ import annotations

from typing import NamedTuple

import torch


class Machine(NamedTuple):
    """Approximate limits of a device."""

    memory: int
    """Bytes available to a chunk of particles, per thread."""
    chunk: int
    """Maximum number of particles in a chunk."""
    cache: int
    """Floating-point numbers that fit into the cache."""


CPU = Machine(1 << 26, 64, 1 << 19)
CUDA = Machine(1 << 32, 1024, 1 << 28)


def machine(device: torch.device) -> Machine:
    """The limits for ``device``."""
    return CUDA if device.type == "cuda" else CPU


def chunk_size(floats: int, of: Machine) -> int:
    """Number of particles per chunk, given the floating-point numbers that each needs."""
    return max(1, min(of.chunk, of.memory // (4 * floats)))
