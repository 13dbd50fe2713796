"""How many particles to take at once."""

from __future__ import annotations

from typing import NamedTuple

import torch


class Machine(NamedTuple):
    """Rough numbers about a device."""

    memory: int
    """Bytes that a chunk of particles may take, in each thread."""
    chunk: int
    """Largest number of particles in it."""
    cache: int
    """Floating-point numbers that are at hand at once."""


CPU = Machine(1 << 26, 64, 1 << 19)
CUDA = Machine(1 << 32, 1024, 1 << 28)


def machine(device: torch.device) -> Machine:
    """The numbers for ``device``."""
    return CUDA if device.type == "cuda" else CPU


def chunk_size(floats: int, of: Machine) -> int:
    """Particles to take at once, when each takes so many floating-point numbers."""
    return max(1, min(of.chunk, of.memory // (4 * floats)))
