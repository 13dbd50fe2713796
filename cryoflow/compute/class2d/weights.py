"""The few samples that carry nearly all of the weight."""

from __future__ import annotations

import torch
from torch import Tensor

FEW = 4096
"""So many samples are sorted; among more the threshold is narrowed down first."""
ROUNDS = 12


def significant_threshold(weights: Tensor, fraction: float) -> Tensor:
    """Smallest weight among the heaviest samples that together carry more than ``fraction``.

    Parameters
    ----------
    weights : Tensor
        float32 ``(B, M)``, between 0 and 1, each row with a 1.
    fraction : float
        Share of the sum of a row.

    Returns
    -------
    Tensor
        float32 ``(B,)``; the samples to keep are those with a weight of at least this.
    """
    target = fraction * weights.sum(1, dtype=torch.float64)
    # samples below low could all go without losing 1 - fraction of the sum
    low = ((1 - fraction) / fraction * target / weights.shape[1]).float()
    high = torch.full_like(low, 1.0).nextafter(torch.full_like(low, 2.0))
    if weights.shape[1] > FEW:
        low, high = _narrow(weights, target.float(), low, high)
    above = torch.where(weights >= high[:, None], weights, 0).sum(1, dtype=torch.float64)
    between = torch.where((weights >= low[:, None]) & (weights < high[:, None]), weights, 0)
    count = max(1, int((between > 0).sum(1).max()))
    heaviest = between.topk(count, dim=1).values
    reached = heaviest.double().cumsum(1) + above[:, None] > target[:, None]
    missing = ~reached.any(1)
    found = heaviest.gather(1, reached.byte().argmax(1, keepdim=True))[:, 0]
    return torch.where(missing, low, found)


def _narrow(weights: Tensor, target: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Bisect on a logarithmic scale; the sum of the weights from ``low`` up exceeds ``target``."""
    for _ in range(ROUNDS):
        middle = (low * high).sqrt()
        enough = torch.where(weights >= middle[:, None], weights, 0).sum(1) > target
        low, high = torch.where(enough, middle, low), torch.where(enough, high, middle)
    return low, high
