"""Rank particles by how unusual their residual is among all: RELION 3.0's particle sorting.

Six features of the masked residual are converted to z-scores over all particles; negative ones count as 0,
and the score is their mean. Low scores are ordinary particles, high ones outliers.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.image.shells import shell_index, shell_indicator


def sorting_radius_squared(references: Tensor) -> float:
    """Squared radius in pixels of the disc that is compared, measured on ``(refs, n, n)`` references.

    Half the mean, over references, of the width on the central x line between the first pixel that
    differs from the corner pixel and the last before it is back at exactly that value; at most half the
    box, which is also what a reference gives that never comes back.
    """
    box = references.shape[-1]
    line = references[:, references.shape[-2] // 2]
    differs = line != references[:, 0, :1]
    started = differs.int().cumsum(1) > 0
    back = started & ~differs
    first, last = started.int().argmax(1), back.int().argmax(1) - 1
    width = torch.where(back.any(1), (last - first).double(), torch.inf)
    width = torch.where(differs.any(1), width, 0.0)
    return min(float(width.mean()) / 2, box / 2) ** 2


def features(residual: Tensor, inside: Tensor) -> Tensor:
    """Six features of every residual, ``(n, 6)`` float64.

    Parameters
    ----------
    residual : Tensor
        ``(n, box, box)``, box even.
    inside : Tensor
        The disc that counts, bool ``(box, box)``.

    Returns
    -------
    Tensor
        Over the disc: mean, standard deviation, skewness, excess kurtosis, standard deviation of the standard
        deviations of the four quadrants (split at > 0 and <= 0 of the centred coordinates); and
        `power_variance` of the residual set to 0 outside the disc.
    """
    disc = inside.to(residual.dtype)
    sizes = _quadrant_sums(disc[None])
    number = sizes.sum()
    masked = residual * disc
    sums = _quadrant_sums(masked)
    mean = sums.sum(1) / number
    centred = torch.addcmul(masked, mean[:, None, None], disc, value=-1).flatten(1)
    squared = centred * centred
    third, fourth = (torch.linalg.vecdot(squared, other) / number for other in (centred, squared))
    square_sums = _quadrant_sums(squared.view_as(residual))
    variance = square_sums.sum(1) / number
    spread = (square_sums / sizes - (sums / sizes - mean[:, None]) ** 2).sqrt().std(1, correction=0)
    shape = (third / variance**1.5, fourth / variance**2 - 3)
    return torch.stack((mean, variance.sqrt(), *shape, spread, power_variance(masked)), 1).double()


def _quadrant_sums(images: Tensor) -> Tensor:
    """Sum of ``(n, box, box)`` images in each quadrant, ``(n, 4)``."""
    low = images.shape[-1] // 2 + 1
    halves = (images[:, :low].sum(1), images[:, low:].sum(1))
    return torch.stack([part.sum(1) for half in halves for part in (half[:, :low], half[:, low:])], 1)


def power_variance(residual: Tensor) -> Tensor:
    """How unevenly power is spread along rings: ``(n,)`` float64.

    Variance, over the stored half-plane of ``n x (n // 2 + 1)`` pixels and rings 0 to ``n // 2 - 1``, of the
    power (transform divided by the number of pixels) minus its mean on the ring, times
    ``(n (n // 2 + 1))^2``. Column 0 is stored whole, so that its pairs of conjugate pixels count twice.
    """
    box = residual.shape[-1]
    rings = _rings(box, residual.dtype, residual.device)
    transform = torch.fft.rfft2(residual, norm="forward").flatten(1)
    power = (transform.real.square() + transform.imag.square()) * rings.used
    # the departures from the ring means have mean 0, so their squares are what is left of the power's squares
    within: Tensor = torch.linalg.vecdot(power, power) - (power @ rings.mean_root).square().sum(1)
    return within.double() / rings.pixels * (box * (box // 2 + 1)) ** 2


class _Rings(NamedTuple):
    """Rings of a flattened half-plane from 1 on; ring 0 is one pixel, which does not depart from its mean."""

    used: Tensor
    """1 on rings 1 to ``n // 2 - 1``, else 0."""
    mean_root: Tensor
    """``(pixels, rings)``: sums over rings divided by the root of their pixels."""
    pixels: int
    """Pixels of all rings, ring 0 too."""


@cache
def _rings(box: int, dtype: torch.dtype, device: torch.device) -> _Rings:
    member = shell_indicator(shell_index(box, device).flatten(), box // 2)[:, 1:].to(dtype)
    return _Rings(member.sum(1), member / member.sum(0).sqrt(), int(member.sum()) + 1)


def z_scores(values: Tensor, manual: Tensor) -> Tensor:
    """Mean over features of the z-scores, those below 0 counting as 0.

    Parameters
    ----------
    values : Tensor
        ``(n, features)`` float64, from `features`.
    manual : Tensor
        bool ``(n,)``: particles picked by hand (class -999), which get -1 and do not enter the statistics.

    Returns
    -------
    Tensor
        ``(n,)`` float64. A feature that is the same in all particles adds 0.
    """
    counted = (~manual).double()[:, None]
    number = counted.sum().clamp(min=1)
    centred = values - (values * counted).sum(0) / number
    sd = ((centred**2 * counted).sum(0) / number).sqrt()
    known = values[~manual]
    varies = (known != known[:1]).any(0)  # a constant feature still has a rounding-error sd
    z = centred / torch.where(varies, sd, torch.inf)
    return torch.where(manual, -1.0, z.clamp(min=0).mean(1))
