"""Interpretable features of class averages, from which a score is computed.

All are independent of scale: grey values may be multiplied by any factor, and lengths are in units of the
mask. The ring between 0.8 of the mask's radius and its edge is taken as background, since particles leave it
free.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.image.masks import positions

RING, CORE, DENSE = 0.8, 0.5, 0.4
"""Where the background begins and the core ends (of the radius); density that counts (of the maximum)."""
WIDEST_CONTRAST = 64.0
TINY = 1e-12


class ClassFeatures(NamedTuple):
    """One number per class in each, ``(K,)``, double precision."""

    contrast: Tensor
    """Mean of the core over that of the background, in the background's standard deviations."""
    edge_energy: Tensor
    """Power per pixel in the background over that inside the mask: 1 for noise, near 0 for a particle."""
    roundness: Tensor
    """Short over long axis of the density: 1 for a ball, near 0 for a filament."""
    centring: Tensor
    """Distance of the density's centre of mass from the middle, in radii."""
    sharpness: Tensor
    """Mean spatial frequency by power, in cycles per mask diameter: low for featureless balls."""
    strength: Tensor
    """Standard deviation inside the mask, in the images' units."""


class _Disc(NamedTuple):
    """Pixel positions from the centre ``n // 2``, and masks; all ``(h, w)``."""

    y: Tensor
    x: Tensor
    inside: Tensor
    ring: Tensor
    core: Tensor


def class_features(images: Tensor, radius: float) -> ClassFeatures:
    """Measure class averages.

    Parameters
    ----------
    images : Tensor
        ``(K, n, n)``, particles bright, at least 8 pixels wide.
    radius : float
        Of the particle mask, in pixels; cut to what the box holds.

    Returns
    -------
    ClassFeatures
        Finite also for flat images (contrast 0, edge energy 1).
    """
    images, radius = images.double(), min(radius, images.shape[-1] / 2 - 1)
    disc = _disc(images.shape[-1], radius, images.device)
    level = images - _mean(images, disc.ring)[:, None, None]
    power = _mean(level**2, disc.inside)
    noise = _mean(level**2, disc.ring)
    contrast = _mean(level, disc.core) / noise.sqrt().clamp_min(TINY)
    axis, offset = _shape(level, disc)
    flat = power < TINY
    return ClassFeatures(
        contrast.clamp(-WIDEST_CONTRAST, WIDEST_CONTRAST),
        torch.where(flat, 1.0, noise / power.clamp_min(TINY)),
        axis,
        offset / radius,
        _frequency(images, disc) * 2 * radius,
        (images - _mean(images, disc.inside)[:, None, None])[:, disc.inside].pow(2).mean(1).sqrt(),
    )


def _disc(size: int, radius: float, device: torch.device) -> _Disc:
    axis = positions(size, device, torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    distance = torch.hypot(y, x)
    inside = distance <= radius
    return _Disc(y, x, inside, inside & (distance > RING * radius), distance <= CORE * radius)


def _mean(images: Tensor, mask: Tensor) -> Tensor:
    return images[:, mask].mean(1)


def _shape(level: Tensor, disc: _Disc) -> tuple[Tensor, Tensor]:
    """Axis ratio and centre of mass of the dense pixels; a single pixel counts as round."""
    level = level * disc.inside
    limit = DENSE * level.amax((-2, -1), keepdim=True)
    weight = torch.where(level > limit, level, 0.0).clamp_min(0)
    weight = weight / weight.sum((-2, -1), keepdim=True).clamp_min(TINY)

    def mean(values: Tensor) -> Tensor:
        return (weight * values).sum((-2, -1))

    cy, cx = mean(disc.y), mean(disc.x)
    y, x = disc.y - cy[:, None, None], disc.x - cx[:, None, None]
    pixel = 1 / 12  # the second moment of one pixel
    yy, xx, xy = mean(y * y) + pixel, mean(x * x) + pixel, mean(x * y)
    middle, apart = (yy + xx) / 2, torch.hypot((yy - xx) / 2, xy)
    return ((middle - apart).clamp_min(pixel) / (middle + apart)).sqrt(), torch.hypot(cy, cx)


def _frequency(images: Tensor, disc: _Disc) -> Tensor:
    """Power-weighted mean frequency in cycles per pixel."""
    masked = (images - _mean(images, disc.inside)[:, None, None]) * disc.inside
    power = torch.fft.fft2(masked).abs() ** 2
    axis = torch.fft.fftfreq(images.shape[-1], device=images.device, dtype=torch.float64)
    frequency = torch.hypot(axis[:, None], axis[None, :])
    mean: Tensor = (power * frequency).sum((-2, -1)) / power.sum((-2, -1)).clamp_min(TINY)
    return mean
