"""Duplicate particles: those closer than a distance."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 2048
"""Rows of the distance matrix held at a time."""


def duplicated(y: Tensor, x: Tensor, distance: float) -> Tensor:
    """Which positions of one micrograph lie at or within ``distance`` of a later one, bool ``(n,)``.

    Of each close pair the earlier is marked, even when the later one is itself marked: RELION's rule, which
    keeps the last of a cluster.
    """
    order = torch.arange(len(y), device=y.device)
    marked = torch.zeros(len(y), dtype=torch.bool, device=y.device)
    for first in range(0, len(y), BLOCK):
        part = slice(first, first + BLOCK)
        squared = (y[part, None] - y[None, :]) ** 2 + (x[part, None] - x[None, :]) ** 2
        later = order[None, :] > order[part, None]
        marked[part] = ((squared <= distance**2) & later).any(1)
    return marked
