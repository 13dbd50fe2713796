"""The few samples that carry nearly all of the weight."""

from __future__ import annotations

import torch
from torch import Tensor

FEW = 4096
"""So many samples are sorted; among more, those near the threshold are looked for first."""
LOOK = 2048
"""Samples from which the place of the threshold is guessed."""
MARGIN = 2.0
"""Factor on the weight left out, either way, within which the guess should lie."""


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
    if weights.is_cuda:
        heaviest = weights.sort(dim=1, descending=True).values
        carried = heaviest.cumsum(1, dtype=torch.float64)
        place = (carried <= fraction * carried[:, -1:]).sum(1, keepdim=True)
        return heaviest.gather(1, place.clamp(max=weights.shape[1] - 1))[:, 0]
    return torch.stack([_threshold(row, fraction) for row in weights])


def _threshold(row: Tensor, fraction: float) -> Tensor:
    if len(row) <= FEW:
        return _by_sorting(row, 0.0, fraction * float(row.sum(dtype=torch.float64)))
    total = row.sum(dtype=torch.float64)
    low, high = _guess(row, fraction)
    above = torch.where(row >= high, row, 0).sum(dtype=torch.float64)
    near = row[(row >= low) & (row < high)]
    target = fraction * total
    if above > target or above + near.sum(dtype=torch.float64) <= target:
        return _by_sorting(row, 0.0, float(target))
    return _by_sorting(near, float(above), float(target))


def _by_sorting(values: Tensor, above: float, target: float) -> Tensor:
    """Value at which the sum of all larger ones and ``above`` exceeds ``target``."""
    heaviest = values.sort(descending=True).values
    carried = heaviest.cumsum(0, dtype=torch.float64) + above
    place = int(torch.searchsorted(carried, target, right=True))
    return heaviest[min(place, len(heaviest) - 1)]


def _guess(row: Tensor, fraction: float) -> tuple[Tensor, Tensor]:
    """Two weights between which the threshold should lie, from evenly spaced samples."""
    lightest = row[:: len(row) // LOOK].sort().values
    left_out = lightest.cumsum(0, dtype=torch.float64)
    share = (1 - fraction) * left_out[-1]
    places = torch.searchsorted(left_out, torch.stack((share / MARGIN, share * MARGIN)))
    low, high = lightest[places.clamp(max=len(lightest) - 1)]
    return low, high
