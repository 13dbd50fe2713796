"""References that look like the particle by radius and power, but are not particles.

Target-decoy competition (Elias and Gygi 2007, Nat Methods 4:207; conservative under competition: He et al.
2015, arXiv 1501.00537): the decoys' wins show how many of the targets' peaks arise by chance. Two nulls:

``noise``: each angular order of the image is shifted by a random phase, the same at all radii and for all
references, and order 0, what is the same all around, is negated. Power by radius and by angular order stays,
and with it power by frequency under any round CTF and mask: on noise the best of all angles and references
is as high for decoys as for references. How the orders fit together, the shape, is lost, and so is the blob.

``shape``: order 0 stays, and every other order changes its sign at the radius that halves its power, so that
at no angle it correlates with what it was: what a blob without the particle's shape would score. Decoys of
this kind fit particles too, and the less so the clearer the shape is.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from cryoflow.compute.image.masks import positions, squared_radius
from cryoflow.compute.image.shells import rounded_radius, shell_sums

Null = Literal["noise", "shape"]
NULLS: tuple[Null, ...] = ("noise", "shape")
RADII, ANGLES = 2, 8
"""Polar samples for each pixel of the box: radii per pixel, angles per pixel of the side."""
ROUNDS = 5
"""Number of times that power by frequency and support are restored alternately."""


def decoys(references: Tensor, seed: int, null: Null = "noise") -> Tensor:
    """Make a decoy of each reference, of its power by frequency and within the same disc.

    Parameters
    ----------
    references : Tensor
        ``(refs, n, n)``, centre at ``n // 2``, 0 outside the particle.
    seed : int
        Of the phases of the ``noise`` null.
    null : {"noise", "shape"}

    Returns
    -------
    Tensor
        ``(refs, n, n)`` float64; 0 outside the disc that holds all references, at most ``n // 2 - 1`` pixels.
    """
    inside = _disc(references)
    return torch.stack([_decoy(image.double(), seed, null, inside) for image in references])


def _decoy(image: Tensor, seed: int, null: Null, inside: Tensor) -> Tensor:
    orders = torch.fft.rfft(to_polar(image), dim=1)
    shifted = orders * (_phases(orders, seed) if null == "noise" else _signs(orders))
    decoy = from_polar(torch.fft.irfft(shifted, n=ANGLES * len(image), dim=1), len(image))
    for _ in range(ROUNDS):
        decoy = _of_power(decoy, image) * inside
    return decoy


def _phases(orders: Tensor, seed: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    phase = 2 * torch.pi * torch.rand(orders.shape[1], generator=random, dtype=torch.float64)
    factor = torch.polar(torch.ones_like(phase), phase).to(orders.device)
    factor[0] = -1
    return factor


def _signs(orders: Tensor) -> Tensor:
    """1 up to the radius that halves an order's power, then -1; 1 everywhere for order 0."""
    radius = torch.arange(len(orders), device=orders.device)[:, None]
    power = (orders.abs() ** 2 * radius).cumsum(0)
    sign = torch.where(power > power[-1] / 2, -1.0, 1.0).double()
    sign[:, 0] = 1
    return sign


def _of_power(image: Tensor, like: Tensor) -> Tensor:
    """Scale the rings of an image's transform to the power of those of another."""
    n = len(image)
    frequency = torch.fft.fftfreq(n, 1 / n, dtype=image.dtype, device=image.device)
    ring = rounded_radius(frequency[:, None], frequency)
    transforms = torch.fft.fft2(torch.stack((image, like)))
    power = shell_sums(transforms.abs() ** 2, ring, int(ring.max()) + 1)
    gain = (power[1] / power[0].clamp_min(torch.finfo(image.dtype).tiny)).sqrt()
    scaled: Tensor = torch.fft.ifft2(transforms[0] * gain[ring]).real
    return scaled


def _disc(references: Tensor) -> Tensor:
    """The smallest disc outside which all references are 0, ``(n, n)``."""
    n = references.shape[-1]
    squared = squared_radius(n, references.device)
    reach = squared[(references != 0).any(0)].amax().clamp_max((n // 2 - 1) ** 2)
    return squared <= reach


def to_polar(image: Tensor) -> Tensor:
    """Image ``(n, n)`` on radii half a pixel apart: ``(2 n, 8 n)``, angle from x to y; 0 outside."""
    n = len(image)
    radius = torch.arange(RADII * n, dtype=image.dtype, device=image.device)[:, None] / RADII
    step = 2 * torch.pi / (ANGLES * n)
    angle = torch.arange(ANGLES * n, dtype=image.dtype, device=image.device) * step
    return _read(image, n // 2 + radius * torch.sin(angle), n // 2 + radius * torch.cos(angle), "bicubic")


def from_polar(polar: Tensor, n: int) -> Tensor:
    """The way back: ``(n, n)``, 0 beyond ``n // 2 - 1`` pixels from the centre."""
    offset = positions(n, polar.device, polar.dtype)
    y, x = offset[:, None].expand(n, n), offset[None, :].expand(n, n)
    radius = torch.hypot(y, x)
    angle = torch.remainder(torch.atan2(y, x), 2 * torch.pi) * (ANGLES * n) / (2 * torch.pi)
    closed = torch.cat((polar, polar[:, :1]), 1)
    return _read(closed, radius * RADII, angle, "bilinear").masked_fill(radius > n // 2 - 1, 0)


def _read(image: Tensor, y: Tensor, x: Tensor, mode: str) -> Tensor:
    """Values between pixels; ``y`` and ``x`` in pixels."""
    h, w = image.shape
    grid = torch.stack((2 * x / (w - 1) - 1, 2 * y / (h - 1) - 1), -1)[None]
    found: Tensor = grid_sample(image[None, None], grid, mode=mode, padding_mode="zeros", align_corners=True)
    return found[0, 0]
