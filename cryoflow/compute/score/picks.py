"""Peaks of two competing searches, and the best value near given positions."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import max_pool1d, pad

DISTANCE, MARGIN = 0.6, 1 / 3
"""Fractions of the diameter: smallest distance between peaks, and margin along the edges."""
RIVALS_STEP = 3


class Peaks(NamedTuple):
    """Samples on a work grid, each ``(n,)``."""

    y: Tensor
    x: Tensor
    """Int64."""
    value: Tensor


class Competition(NamedTuple):
    """Peaks of the larger of two maps, and which of them the targets have won."""

    peaks: Peaks
    target: Tensor
    """Bool ``(n,)``."""


def compete(target: Tensor, decoy: Tensor, diameter: float) -> Competition:
    """Local maxima above 0 of the larger of two ``(h, w)`` maps; ``diameter`` in samples."""
    peaks = local_maxima(torch.maximum(target, decoy), DISTANCE * diameter, int(MARGIN * diameter))
    return Competition(peaks, (target >= decoy)[peaks.y, peaks.x])


def local_maxima(values: Tensor, distance: float, margin: int) -> Peaks:
    """Samples above 0 that are the largest within ``distance`` samples, ``margin`` away from the sides."""
    top = values == _largest_within(values, distance)
    inside = torch.zeros_like(top)
    inside[margin : values.shape[0] - margin, margin : values.shape[1] - margin] = True
    y, x = torch.nonzero(top & inside & (values > 0), as_tuple=True)
    return Peaks(y, x, values[y, x])


def _largest_within(values: Tensor, distance: float) -> Tensor:
    reach, height = int(distance), values.shape[0]
    largest = torch.full_like(values, -torch.inf)
    for dy in range(-reach, reach + 1):
        half = int((distance**2 - dy**2) ** 0.5)
        row = max_pool1d(values, 2 * half + 1, stride=1, padding=half)
        moved = pad(row, (0, 0, max(-dy, 0), max(dy, 0)), value=-torch.inf)
        largest = torch.maximum(largest, moved[max(dy, 0) : max(dy, 0) + height])
    return largest


def rivals(decoy: Tensor, diameter: float) -> Tensor:
    """Maximum of a ``(h, w)`` map within the distance of every third sample where peaks may lie, flat.

    A target there wins a peak only if it is higher; ``diameter`` in samples.
    """
    margin = int(MARGIN * diameter)
    inside = (slice(margin, size - margin, RIVALS_STEP) for size in decoy.shape)
    return _largest_within(decoy, DISTANCE * diameter)[tuple(inside)].flatten()


def own_peaks(found: Competition, y: Tensor, x: Tensor, reach: float) -> Tensor:
    """Value of the peak nearest to each position if a target won it, float64 ``(n,)``; else nan.

    A peak counts only for the position that is nearest to it, once as in the rates it is compared with.

    Parameters
    ----------
    found : Competition
    y, x : Tensor
        Positions in samples, float64 ``(n,)``.
    reach : float
        Peaks farther away than this do not count, samples.
    """
    missing = torch.full_like(y, torch.nan)
    if not len(found.target):
        return missing
    distances = torch.hypot(y[:, None] - found.peaks.y, x[:, None] - found.peaks.x)
    distance, nearest = distances.min(1)
    mine = distances.argmin(0)[nearest] == torch.arange(len(distances), device=nearest.device)
    holds = (distance <= reach) & found.target[nearest] & mine
    return torch.where(holds, found.peaks.value[nearest].double(), missing)


def best_near(values: Tensor, y: Tensor, x: Tensor, reach: float) -> Peaks:
    """The largest of ``(h, w)`` within ``reach`` samples of float64 positions; the first in case of ties.

    A sample counts only for the position that it is nearest to. Positions that are left without one get the
    nearest sample of the map.
    """
    width = int(-(-reach // 1))
    offsets = torch.arange(-width, width + 1, device=values.device)
    oy, ox = (grid.flatten() for grid in torch.meshgrid(offsets, offsets, indexing="ij"))
    iy, ix = (position.round().long()[:, None] + o for position, o in ((y, oy), (x, ox)))
    h, w = values.shape
    inside = (iy >= 0) & (iy < h) & (ix >= 0) & (ix < w)
    squared = (iy - y[:, None]) ** 2 + (ix - x[:, None]) ** 2
    iy, ix = iy.clamp(0, h - 1), ix.clamp(0, w - 1)
    own = inside & (squared <= reach**2) & (squared <= _least(squared, inside, iy * w + ix, values.numel()))
    found = values[iy, ix].masked_fill(~own, -torch.inf)
    best = torch.where(own.any(1), found.argmax(1), len(oy) // 2)[:, None]
    iy, ix = iy.gather(1, best)[:, 0], ix.gather(1, best)[:, 0]
    return Peaks(iy, ix, values[iy, ix])


def _least(squared: Tensor, inside: Tensor, sample: Tensor, samples: int) -> Tensor:
    """For each entry, the smallest squared distance among all entries of the same sample."""
    least = squared.new_full((samples,), torch.inf)
    least.scatter_reduce_(0, sample[inside], squared[inside], "amin")
    return least[sample]
