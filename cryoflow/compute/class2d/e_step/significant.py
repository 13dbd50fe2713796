"""The few samples that carry nearly all of the weight."""

from __future__ import annotations

import math

import torch
from torch import Tensor

BINS = 1 << 14
"""Number of bins of the log weight, over a range of about 16."""
UNIT = 2.0**-36
"""Weights are added up in whole numbers of this, the same sums in any order; smaller ones do not count."""


def heaviest(logs: Tensor, fraction: float) -> Tensor:
    """Mark the heaviest samples, that together carry at least ``fraction`` of the weight.

    Uses a histogram instead of sorting, and skips samples far too light, which are nearly all once the
    references are sharp: either would dominate the time of the coarse pass. More samples
    than needed are kept only where their weights differ by less than two parts in 1,000.

    Parameters
    ----------
    logs : Tensor
        ``(B, M)``, logarithms of weights; a finite one at least in each row.
    fraction : float
        Share of the sum of a row, less than 1.

    Returns
    -------
    Tensor
        Bool ``(B, M)``.
    """
    top, (count, number) = logs.amax(1, keepdim=True), logs.shape
    seen = (logs > top + math.log(UNIT)).flatten().nonzero()[:, 0]
    row = seen // number
    log = logs.flatten()[seen] - top.flatten()[row]
    mass = (log.exp() / UNIT).long()
    spare = (1 - fraction) * mass.new_zeros(count).index_add_(0, row, mass).double()
    low = (spare * UNIT / number).log().to(logs)  # all samples below could be dropped
    place = (1 - log / low[row]).mul_(BINS - 1).clamp_(0, BINS - 1).long()
    bins = mass.new_zeros(count * BINS).index_add_(0, row * BINS + place, mass).view(count, BINS)
    first = (bins.cumsum_(1) <= spare[:, None]).sum(1)
    kept = torch.zeros_like(logs, dtype=torch.bool)
    kept.view(-1)[seen[place >= first[row]]] = True
    return kept
