"""References that look like the particle by radius and power, but are no particle.

Target-decoy competition (Elias and Gygi 2007, Nat Methods 4:207): what decoys win tells how many of the
targets' peaks are chance.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

RADII, ANGLES = 2, 8
"""Polar samples for each pixel of the box: radii per pixel, angles per pixel of the side."""


def decoys(references: Tensor, seeds: list[int]) -> Tensor:
    """Turn each angular order of an image by its own random phase, the same at all radii; order 0 negated.

    Power by radius and by angular order stays; how the orders fit together is lost.

    Parameters
    ----------
    references : Tensor
        ``(refs, n, n)``, n even, 0 outside the particle.
    seeds : list of int
        One a reference.

    Returns
    -------
    Tensor
        ``(refs, n, n)`` float64; 0 beyond ``n // 2 - 1`` pixels from the centre.
    """
    images = [_decoy(image.double(), seed) for image, seed in zip(references, seeds, strict=True)]
    return torch.stack(images)


def _decoy(image: Tensor, seed: int) -> Tensor:
    orders = torch.fft.rfft(to_polar(image), dim=1)
    random = torch.Generator().manual_seed(seed)
    phase = 2 * torch.pi * torch.rand(orders.shape[1], generator=random, dtype=torch.float64)
    factor = torch.polar(torch.ones_like(phase), phase).to(image.device)
    factor[0] = -1
    turned = torch.fft.irfft(orders * factor, n=ANGLES * len(image), dim=1)
    return from_polar(turned, len(image))


def to_polar(image: Tensor) -> Tensor:
    """Image ``(n, n)`` on radii half a pixel apart: ``(2 n, 8 n)``, angle from x to y; 0 outside."""
    n = len(image)
    radius = torch.arange(RADII * n, dtype=image.dtype, device=image.device)[:, None] / RADII
    step = 2 * torch.pi / (ANGLES * n)
    angle = torch.arange(ANGLES * n, dtype=image.dtype, device=image.device) * step
    return _read(image, n // 2 + radius * torch.sin(angle), n // 2 + radius * torch.cos(angle), "bicubic")


def from_polar(polar: Tensor, n: int) -> Tensor:
    """The way back: ``(n, n)``, 0 beyond ``n // 2 - 1`` pixels from the centre."""
    offset = torch.arange(n, dtype=polar.dtype, device=polar.device) - n // 2
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
