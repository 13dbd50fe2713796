"""Large images a few rows at a time."""

import torch
from torch import Tensor

_CPU_VALUES = 1 << 17
"""Pixels processed at a time on a CPU: results are still in the caches for the next operation."""


def row_blocks(images: Tensor) -> tuple[Tensor, ...]:
    """Split ``(..., h, w)`` along the rows, for operations pixel by pixel or row by row; whole on a GPU."""
    h, w = images.shape[-2:]
    rows = max(1, _CPU_VALUES // max(1, w)) if images.device.type == "cpu" else h
    return torch.split(images, rows, -2)
