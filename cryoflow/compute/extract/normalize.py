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

from cryoflow.compute.image.masks import positions

FLAT = 1e-10
"""Images are not divided by background standard deviations below this, or within rounding error."""


class Background(NamedTuple):
    """Background region of images ``(h, w)``, and the plane fitted to it."""

    weight: Tensor
    """Weight of each pixel in the background's mean, ``(h * w,)``; the sum is 1."""
    functions: Tensor
    """y, x and 1 at each pixel, ``(3, h * w)``."""
    solve: Tensor
    """Matrix from pixels to plane coefficients by least squares on the background, ``(3, h * w)``."""


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


def background(mask: Tensor, dtype: torch.dtype) -> Background:
    """Prepare the normalisation of images on the pixels under ``mask``.

    Parameters
    ----------
    mask : Tensor
        Bool ``(h, w)``, three or more pixels that do not lie on a line.
    dtype : torch.dtype
        Number type of the images.
    """
    height, width = mask.shape
    y, x = (positions(size, mask.device, torch.float64) for size in (height, width))
    plane = torch.stack((*torch.meshgrid(y, x, indexing="ij"), torch.ones_like(mask, dtype=y.dtype)))
    plane = plane.flatten(1)
    inside = plane * mask.flatten()
    solve = torch.linalg.inv(inside @ inside.T) @ inside
    return Background(*(part.to(dtype) for part in (inside[2] / inside[2].sum(), plane, solve)))


def background_statistics(images: Tensor, where: Background) -> BackgroundStatistics:
    """Statistics of the background pixels of ``(n, h, w)`` images."""
    pixels = images.flatten(1)
    mean = pixels @ where.weight
    return BackgroundStatistics(mean, torch.sqrt((pixels - mean[:, None]).square_() @ where.weight))


def subtract_plane(images: Tensor, where: Background) -> Tensor:
    """Subtract from each image the plane fitted by least squares to its background."""
    pixels = images.flatten(1)
    out = pixels - (pixels @ where.weight)[:, None]  # large offsets lose digits in single precision
    coefficients = where.solve @ out.T  # three times faster than out @ solve.T
    return out.addmm_(coefficients.T, where.functions, alpha=-1).view_as(images)


def normalize(images: Tensor, where: Background) -> Tensor:
    """Subtract the background plane; then background mean 0 and standard deviation 1.

    Images whose background is flat (see `FLAT`) only lose their plane.

    Parameters
    ----------
    images : Tensor
        ``(n, h, w)``.
    where : Background
        Of images of this size and number type.
    """
    rounding = torch.finfo(images.dtype).eps * (images.flatten(1) @ where.weight).abs()
    level = subtract_plane(images, where)  # its background has mean 0
    sd = torch.sqrt(level.flatten(1).square() @ where.weight)
    return level.div_(sd.masked_fill_(sd < FLAT + rounding, 1)[:, None, None])


def remove_dust(
    images: Tensor, where: Background, white: float | None, black: float | None, seeds: Sequence[int]
) -> Dust:
    """Replace pixels far above or below the background by noise like the background.

    Parameters
    ----------
    images : Tensor
        ``(n, h, w)``.
    where : Background
        Of images of this size and number type.
    white, black : float or None
        Pixels further above (white) or below (black) the background mean than this many standard
        deviations are dust; None skips that side. Both refer to the background before any replacement;
        white comes first.
    seeds : sequence of int
        One seed an image: the noise depends on the image alone, never on the batch it came in.
    """
    found = background_statistics(images, where)
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
