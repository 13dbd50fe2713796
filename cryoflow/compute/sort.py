"""Rank particles by how unusual their residual is among all: RELION 3.0's particle sorting.

Six features of the masked residual are turned into z-scores over all particles; negative ones count as 0,
and the score is their mean. Low scores are ordinary particles, high ones outliers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cryoflow.compute.fourier import shells

FEATURES = ("mean", "sd", "skewness", "excess_kurtosis", "quadrant_sd", "power_variance")
"""Columns of `features`."""


def disc(box: int, radius_squared: float, device: torch.device | str = "cpu") -> Tensor:
    """Pixels with ``y^2 + x^2 < radius_squared`` around ``box // 2``, bool ``(box, box)``."""
    offset = torch.arange(box, device=device) - box // 2
    return offset[:, None] ** 2 + offset[None, :] ** 2 < radius_squared


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
    values = residual[:, inside].double()
    centred = values - values.mean(1, keepdim=True)
    squared = centred * centred
    variance = squared.mean(1)
    sd = variance.sqrt()
    skewness = (squared * centred).mean(1) / (variance * sd)
    kurtosis = (squared * squared).mean(1) / variance**2 - 3
    power = power_variance(residual * inside)
    stacked = (values.mean(1), sd, skewness, kurtosis, _quadrant_sd(residual, inside), power)
    return torch.stack(stacked, 1)


def _quadrant_sd(residual: Tensor, inside: Tensor) -> Tensor:
    box = residual.shape[-1]
    low = torch.arange(box, device=residual.device) <= box // 2
    quadrants = [inside & y[:, None] & x[None, :] for y in (low, ~low) for x in (low, ~low)]
    sds = [residual[:, quadrant].double().std(1, correction=0) for quadrant in quadrants]
    return torch.stack(sds).std(0, correction=0)


def power_variance(residual: Tensor) -> Tensor:
    """How unevenly power is spread along rings: ``(n,)`` float64.

    Variance, over the stored half-plane of ``n x (n // 2 + 1)`` pixels and rings 0 to ``n // 2 - 1``, of
    the power (transform divided by the number of pixels) minus its mean on the ring, times ``(n (n // 2 +
    1))^2``. Column 0 is stored whole, so that its pairs of conjugate pixels count twice.
    """
    box = residual.shape[-1]
    ring = shells(box, residual.device)
    used = ring < box // 2
    transform = torch.fft.rfft2(residual) / box**2
    power = (transform.real.square() + transform.imag.square())[:, used].double()
    ring = ring[used]
    count = torch.bincount(ring, minlength=box // 2)
    total = power.new_zeros(len(power), box // 2).index_add_(1, ring, power)
    departure = power - (total / count)[:, ring]
    variance: Tensor = departure.var(1, correction=0)
    return variance * (box * (box // 2 + 1)) ** 2


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
