"""The few samples that carry nearly all of the weight."""

from __future__ import annotations

import torch
from torch import Tensor

STEPS = 14
"""Bisections of the logarithm of the threshold, which lies in a range of some 16."""


def significant_threshold(weights: Tensor, fraction: float) -> Tensor:
    """Weight above which lie the heaviest samples, that together carry at least ``fraction``.

    Found by bisection instead of by sorting, which would take longer than all else in the coarse pass. More
    samples than needed are kept only where their weights differ by less than one part in 1,000.

    Parameters
    ----------
    weights : Tensor
        ``(B, M)``, not negative, each row with a positive sum.
    fraction : float
        Share of the sum of a row.

    Returns
    -------
    Tensor
        ``(B,)``; the samples to keep are those with a weight of at least this.
    """
    spare = (1 - fraction) * weights.sum(1)
    low = (spare / weights.shape[1]).log()  # all samples below could be dropped
    high = weights.amax(1).log()
    for _ in range(STEPS):
        middle = (low + high) / 2
        light = torch.where(weights < middle.exp()[:, None], weights, 0).sum(1)
        low, high = torch.where(light <= spare, middle, low), torch.where(light <= spare, high, middle)
    return low.exp()
