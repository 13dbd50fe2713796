"""What averages look like as a whole: how alike they are, and whether a mask fits what is seen."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

FEWEST_RINGS, RINGS = 4, 20
"""Rings of equal width, of at least a pixel, from the centre to the mask's edge."""
SEEN = 0.3
"""Least mean grey value, as part of the root mean square, of averages that show a particle at all."""


class Profile(NamedTuple):
    """Radial profile of averages within a mask, weighted by their shares."""

    half_radius: float
    """Radius, as part of the mask's, at which the mean square falls below half of its highest value."""
    edge: float
    """Mean grey value in the outermost tenth of the radius over the highest of all rings; 0 where no ring
    stands out."""


def median_correlation(averages: Tensor, radius: float) -> float:
    """Return the median correlation coefficient of all pairs of averages within a disc.

    Parameters
    ----------
    averages : Tensor
        ``(K, n, n)``, centre at ``n // 2``; K at least 2.
    radius : float
        Of the disc, pixels.
    """
    values = averages.double()[:, _distance(averages) <= radius]
    values = values - values.mean(1, keepdim=True)
    values = values / values.norm(dim=1, keepdim=True).clamp_min(torch.finfo(values.dtype).tiny)
    first, second = torch.triu_indices(len(values), len(values), 1)
    return float((values @ values.T)[first, second].median())


def radial_profile(averages: Tensor, share: Tensor, radius: float) -> Profile:
    """Return where the signal of averages lies within a mask.

    Parameters
    ----------
    averages : Tensor
        ``(K, n, n)``, centre at ``n // 2``.
    share : Tensor
        ``(K,)``, weight of each.
    radius : float
        Of the mask, pixels.
    """
    rings = max(FEWEST_RINGS, min(RINGS, int(radius)))
    ring = (_distance(averages) / radius * rings).floor().long().clamp_max(rings).flatten()
    size = torch.bincount(ring, minlength=rings + 1)[:rings].clamp_min(1)
    weight = (share / share.sum()).double()

    def of_rings(values: Tensor) -> Tensor:
        pixels = (values.double() * weight[:, None, None]).sum(0).flatten()
        return torch.bincount(ring, pixels, rings + 1)[:rings] / size

    square, mean = of_rings(averages**2), of_rings(averages)
    above = square - square.min()
    half_radius = (int((above >= above.max() / 2).nonzero().max()) + 1) / rings
    if float(mean.max()) <= SEEN * float(square.max().sqrt()):
        return Profile(half_radius, 0.0)
    return Profile(half_radius, float(mean[-max(1, rings // 10) :].mean() / mean.max()))


def _distance(images: Tensor) -> Tensor:
    """Of each pixel from ``n // 2``, ``(n, n)``."""
    offset = torch.arange(images.shape[-1], device=images.device).double() - images.shape[-1] // 2
    return torch.hypot(offset[:, None], offset)
