"""Normalise particle images on their background, and replace dust.

Background pixels are those further than a radius from the centre ``n // 2``. The order is RELION's: dust is
replaced by noise, a plane fitted to the background is subtracted, then the background gets mean 0 and
standard deviation 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

FLAT = 1e-10
"""Background standard deviations below this are not divided by."""


class BackgroundStatistics(NamedTuple):
    """Population mean and standard deviation of the background pixels, each ``(n,)``."""

    mean: Tensor
    sd: Tensor


class Dust(NamedTuple):
    """Images without dust, and the pixels that were replaced (bool, same shape)."""

    images: Tensor
    replaced: Tensor


def background_radius(diameter: float, size: int, rescaled: int) -> int:
    """Radius in whole pixels of the rescaled box for a diameter in pixels of the box before rescaling."""
    return int(diameter / 2 * rescaled / size)


def background_mask(size: int, radius: int, device: torch.device | str = "cpu") -> Tensor:
    """Pixels with ``y^2 + x^2 > radius^2`` around the centre ``size // 2``, bool ``(size, size)``."""
    offset = torch.arange(size, device=device) - size // 2
    return offset[:, None] ** 2 + offset[None, :] ** 2 > radius * radius


def background_statistics(images: Tensor, mask: Tensor) -> BackgroundStatistics:
    """Statistics of the pixels of ``(n, h, w)`` images under a ``(h, w)`` mask with at least one pixel."""
    weight = mask.to(images.dtype).flatten()
    weight /= weight.sum()
    pixels = images.flatten(1)
    mean = pixels @ weight
    return BackgroundStatistics(mean, torch.sqrt((pixels - mean[:, None]).square_() @ weight))


def subtract_plane(images: Tensor, mask: Tensor) -> Tensor:
    """Subtract from each image the plane fitted by least squares to its pixels under ``mask``."""
    height, width = images.shape[-2:]
    y = torch.arange(height, device=images.device, dtype=torch.float64) - height // 2
    x = torch.arange(width, device=images.device, dtype=torch.float64) - width // 2
    plane = torch.stack((*torch.meshgrid(y, x, indexing="ij"), mask.new_ones(height, width).double()))
    plane = plane.flatten(1)  # (3, pixels)
    inside = plane * mask.flatten()
    solve = (torch.linalg.inv(inside @ inside.T) @ inside).to(images.dtype)
    weight = mask.flatten().to(images.dtype)
    pixels = images.flatten(1)
    out = pixels - (pixels @ (weight / weight.sum()))[:, None]  # single precision dislikes large offsets
    coefficients = [(out @ row)[:, None] for row in solve]  # one by one: quicker than one narrow product
    for coefficient, function in zip(coefficients, plane.to(images.dtype), strict=True):
        out.addcmul_(coefficient, function, value=-1)
    return out.view_as(images)


def normalize(images: Tensor, mask: Tensor) -> Tensor:
    """Subtract the background plane; then background mean 0 and standard deviation 1.

    Images whose background is flat (standard deviation below 1e-10) only lose their plane.

    Parameters
    ----------
    images : Tensor
        ``(n, h, w)``.
    mask : Tensor
        Background pixels, bool ``(h, w)``, three or more that do not lie on a line.
    """
    level = subtract_plane(images, mask)
    found = background_statistics(level, mask)
    flat = found.sd < FLAT
    mean, sd = found.mean.masked_fill(flat, 0), found.sd.masked_fill(flat, 1)
    return level.sub_(mean[:, None, None]).div_(sd[:, None, None])


def remove_dust(
    images: Tensor, mask: Tensor, white: float | None, black: float | None, seeds: Sequence[int]
) -> Dust:
    """Replace pixels far above or below the background by noise like the background.

    Parameters
    ----------
    images : Tensor
        ``(n, h, w)``.
    mask : Tensor
        Background pixels, bool ``(h, w)``.
    white, black : float or None
        How many background standard deviations above (white) or below (black) the background mean make
        dust; None leaves that side alone. Both are judged against the background as it was; white goes
        first.
    seeds : sequence of int
        One seed an image: the noise depends on the image alone, never on the batch it came in.
    """
    found = background_statistics(images, mask)
    mean, sd = found.mean[:, None, None], found.sd[:, None, None]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    out, replaced = images, torch.zeros_like(images, dtype=torch.bool)
    for limit, sign in ((white, 1), (black, -1)):
        if limit is not None:
            dust = (out - mean) * sign > limit * sd
            out = torch.where(dust, mean + sd * _noise(dust, generators, out), out)
            replaced = replaced | dust
    return Dust(out, replaced)


def _noise(wanted: Tensor, generators: Sequence[torch.Generator], like: Tensor) -> Tensor:
    """Standard normal numbers where ``wanted``, drawn image by image on the CPU so that devices agree."""
    noise = torch.zeros(wanted.shape, dtype=torch.float64)
    where = wanted.cpu()
    for index in torch.nonzero(where.flatten(1).any(1)).flatten().tolist():
        count = int(where[index].sum())
        noise[index][where[index]] = torch.randn(count, generator=generators[index], dtype=torch.float64)
    return noise.to(like)
