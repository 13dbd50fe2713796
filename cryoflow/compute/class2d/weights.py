"""The few samples that carry nearly all of the weight."""

from __future__ import annotations

import torch
from torch import Tensor

SORT_LIMIT = 4096
"""Above so many candidates a radix search is faster than sorting (on the CPU)."""


def significant_threshold(weights: Tensor, fraction: float) -> Tensor:
    """Smallest weight among the heaviest samples that together carry more than ``fraction``.

    Parameters
    ----------
    weights : Tensor
        float32 ``(B, M)``, not negative, each row with a positive sum.
    fraction : float
        Share of the sum of a row.

    Returns
    -------
    Tensor
        float32 ``(B,)``; the samples to keep are those with a weight of at least this.
    """
    target = fraction * weights.sum(1, dtype=torch.float64)
    # samples below floor could all go without losing 1 - fraction of the sum
    floor = ((1 - fraction) / fraction * target / weights.shape[1]).float()
    candidates = int((weights >= floor[:, None]).sum(1).max())
    if weights.is_cuda or candidates <= SORT_LIMIT:
        return _by_sorting(weights, target, max(candidates, 1))
    return _by_radix(weights, target)


def _by_sorting(weights: Tensor, target: Tensor, candidates: int) -> Tensor:
    heaviest = weights.topk(candidates, dim=1).values
    reached = heaviest.double().cumsum(1) > target[:, None]
    reached[:, -1] = True
    return heaviest.gather(1, reached.byte().argmax(1, keepdim=True))[:, 0]


def _by_radix(weights: Tensor, target: Tensor) -> Tensor:
    """The bits of a positive float order like an integer: find the upper half of the threshold, then the lower."""
    bits = weights.contiguous().view(torch.int32)
    above, high = _crossing(weights, (bits >> 16).long(), 1 << 15, target)
    same = (bits >> 16) == high[:, None]
    rest = torch.where(same, weights, 0)
    _, low = _crossing(rest, torch.where(same, bits & 0xFFFF, 0).long(), 1 << 16, target - above)
    return ((high << 16) | low).int().view(torch.float32)


def _crossing(weights: Tensor, key: Tensor, keys: int, target: Tensor) -> tuple[Tensor, Tensor]:
    """Largest key at which the weight of it and of all larger keys exceeds target, and the weight above it."""
    histogram = torch.zeros(len(weights), keys, dtype=torch.float64)
    histogram.scatter_add_(1, key, weights.double())
    reached = histogram.flip(1).cumsum(1)
    hit = (reached > target[:, None]) & (histogram.flip(1) > 0)
    hit[:, -1] |= ~hit.any(1)
    place = hit.byte().argmax(1, keepdim=True)
    above = (reached - histogram.flip(1)).gather(1, place)[:, 0]
    return above, keys - 1 - place[:, 0]
