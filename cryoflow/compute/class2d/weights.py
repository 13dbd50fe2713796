"""The few samples that carry nearly all of the weight."""

from __future__ import annotations

import torch
from torch import Tensor

BINS = 1 << 14
"""Of the logarithm of the weight, over a range of some 16."""
UNIT = 2.0**-40
"""Weights are added up in whole numbers of this, the same sums in any order."""


def negligible(weights: Tensor, fraction: float) -> Tensor:
    """Mark all samples but the heaviest, that together carry at least ``fraction``.

    Found from a histogram instead of by sorting, which would take longer than all else in the coarse pass.
    More samples than needed are kept only where their weights differ by less than two parts in 1,000.

    Parameters
    ----------
    weights : Tensor
        ``(B, M)``, from 0 to 1, each row with a positive sum.
    fraction : float
        Share of the sum of a row, less than 1.

    Returns
    -------
    Tensor
        Bool ``(B, M)``.
    """
    spare = (1 - fraction) * weights.sum(1, keepdim=True, dtype=torch.float64)
    low = (spare / weights.shape[1]).log().to(weights)  # all samples below could be dropped
    high = weights.amax(1, keepdim=True).log()
    place = ((weights.log() - low) * ((BINS - 1) / (high - low))).clamp_(0, BINS - 1).long()
    mass = torch.zeros(len(weights), BINS, dtype=torch.int64, device=weights.device)
    mass.scatter_add_(1, place, (weights / UNIT).long())
    first = (mass.cumsum_(1) <= spare / UNIT).sum(1, keepdim=True)
    return place < first
