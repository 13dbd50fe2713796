"""Rank particles by how unusual their residual is among all: RELION 3.0's particle sorting.

Six features of the masked residual are turned into z-scores over all particles; negative ones count as 0,
and the score is their mean. Low scores are ordinary particles, high ones outliers.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

from cryoflow.compute.extract import rescale
from cryoflow.compute.fourier import shells

FEATURES = ("mean", "sd", "skewness", "excess_kurtosis", "quadrant_sd", "power_variance")
"""Columns of `features`."""


SAME_PIXEL = 1e-3
"""Pixel sizes that differ by no more than this, in A, are taken as equal."""


def disc(box: int, radius_squared: float, device: torch.device | str = "cpu") -> Tensor:
    """Pixels with ``y^2 + x^2 < radius_squared`` around ``box // 2``, bool ``(box, box)``."""
    offset = torch.arange(box, device=device) - box // 2
    return offset[:, None] ** 2 + offset[None, :] ** 2 < radius_squared


def sorting_radius_squared(references: Tensor) -> float:
    """Squared radius in pixels of the disc that is compared, measured on ``(refs, n, n)`` references.

    Half the mean, over references, of the width on the central x line between the first pixel that
    differs from the corner pixel and the last before it is back at exactly that value; at most half the
    box, which is also what a reference gives that never comes back.
    """
    box = references.shape[-1]
    line = references[:, references.shape[-2] // 2]
    differs = line != references[:, 0, :1]
    begun = differs.int().cumsum(1) > 0
    back = begun & ~differs
    first, last = begun.int().argmax(1), back.int().argmax(1) - 1
    width = torch.where(back.any(1), (last - first).double(), torch.inf)
    width = torch.where(differs.any(1), width, 0.0)
    return min(float(width.mean()) / 2, box / 2) ** 2


def at_pixel_size(references: Tensor, old_a: float, new_a: float) -> Tensor:
    """Fourier-resize ``(refs, n, n)`` references from ``old_a`` to ``new_a`` A per pixel.

    The box becomes ``2 round(n / 2 * old_a / new_a)``. Enlarged references are divided by the factor:
    averages of particles that were shrunk before normalisation have a smaller standard deviation.
    """
    if abs(old_a - new_a) <= SAME_PIXEL:
        return references
    old = references.shape[-1]
    new = 2 * int(old // 2 * old_a / new_a + 0.5)
    return rescale(references, new) * min(1.0, old / new)


def fit_box(references: Tensor, box: int) -> Tensor:
    """Cut or zero-pad ``(refs, n, n)`` references to another box around the centre ``n // 2``."""
    old = references.shape[-1]
    low, high = box // 2 - old // 2, (box - box // 2) - (old - old // 2)
    return pad(references, (low, high, low, high))


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
    quadrants = _quadrants(inside)
    values = residual.flatten(1)[:, torch.cat(quadrants)].double()
    mean = values.mean(1)
    centred = values - mean[:, None]
    squared = centred * centred
    variance = squared.mean(1)
    third, fourth = (torch.linalg.vecdot(squared, other) / len(values.T) for other in (centred, squared))
    sizes = [len(quadrant) for quadrant in quadrants]
    parts = zip(torch.split(squared, sizes, 1), torch.split(centred, sizes, 1), strict=True)
    sds = torch.stack([(two.mean(1) - one.mean(1) ** 2).sqrt() for two, one in parts])
    power = power_variance(residual * inside)
    shape = (third / variance**1.5, fourth / variance**2 - 3)
    return torch.stack((mean, variance.sqrt(), *shape, sds.std(0, correction=0), power), 1)


def _quadrants(inside: Tensor) -> list[Tensor]:
    """Flat indices of the disc's pixels in each quadrant."""
    box = inside.shape[-1]
    low = torch.arange(box, device=inside.device) <= box // 2
    masks = [inside & y[:, None] & x[None, :] for y in (low, ~low) for x in (low, ~low)]
    return [torch.nonzero(mask.flatten()).flatten() for mask in masks]


def power_variance(residual: Tensor) -> Tensor:
    """How unevenly power is spread along rings: ``(n,)`` float64.

    Variance, over the stored half-plane of ``n x (n // 2 + 1)`` pixels and rings 0 to ``n // 2 - 1``, of the
    power (transform divided by the number of pixels) minus its mean on the ring, times
    ``(n (n // 2 + 1))^2``. Column 0 is stored whole, so that its pairs of conjugate pixels count twice.
    """
    box = residual.shape[-1]
    ring = shells(box, residual.device).flatten()
    used = torch.nonzero(ring < box // 2).flatten()
    member = one_hot(ring[used], box // 2).double()  # (used, rings)
    transform = torch.fft.rfft2(residual, norm="forward").flatten(1)[:, used]
    power = (transform.real.square() + transform.imag.square()).double()
    # the departures from the ring means have mean 0, so their squares are what is left of the power's squares
    within: Tensor = torch.linalg.vecdot(power, power) - ((power @ member) ** 2 / member.sum(0)).sum(1)
    return within / len(used) * (box * (box // 2 + 1)) ** 2


def z_scores(values: Tensor, manual: Tensor) -> Tensor:
    """Mean over features of the z-scores, those below 0 counting as 0.

    Parameters
    ----------
    values : Tensor
        ``(n, features)`` float64, from `features`.
    manual : Tensor
        bool ``(n,)``: particles picked by hand (class -999), which get -1 and are not counted.

    Returns
    -------
    Tensor
        ``(n,)`` float64. A feature that is the same in all particles adds 0.
    """
    counted = (~manual).double()[:, None]
    number = counted.sum().clamp(min=1)
    centred = values - (values * counted).sum(0) / number
    sd = ((centred**2 * counted).sum(0) / number).sqrt()
    z = centred / torch.where(sd > 0, sd, torch.inf)
    return torch.where(manual, -1.0, z.clamp(min=0).mean(1))
