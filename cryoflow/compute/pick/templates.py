"""Transforms of references at every in-plane angle, on a micrograph's frequency grid.

RELION puts each reference into a box of twice the micrograph and samples its transform bilinearly,
neighbours ``1 / (2 size)`` apart and 0 beyond the low-pass, so that the last shell fades. The same grid of
frequencies is computed here, but only within the low-pass, and without the box.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.image.masks import disc
from cryoflow.compute.image.partial_dft import centred_transform, inverse_at
from cryoflow.compute.parallel import single_threads
from cryoflow.compute.pick.band import Band

LARGEST_GRID = 2048
"""Points per side of the grid of frequencies, beyond which it is made coarser."""


class FineTransform(NamedTuple):
    """Transforms of centred images on a fine Cartesian grid around frequency 0."""

    values: Tensor
    """Real ``(refs, 2, m, m)``: real and imaginary part; frequency ``step * (index - m // 2)``, m odd."""
    step: float
    """Cycles per pixel."""


class TemplateSums(NamedTuple):
    """Sums over the disc for the score of references, float64 ``(refs,)``; n pixels lie in the disc."""

    mean: Tensor
    """``sum(A) / (n + 1)``."""
    mean_square: Tensor
    """``sum(A^2) / (n + 1)``."""

    @property
    def expected_ratio(self) -> Tensor:
        """Probability ratio of a perfect match: ``exp(sum(A^2) / 2 / (n + 1))``."""
        return torch.exp(self.mean_square / 2)


def psi_angles(step_deg: float) -> Tensor:
    """Angles from 0 to below 360 degrees, float64 ``(psis,)``: the step is rounded so that it divides 360."""
    count = max(1, math.floor(360 / step_deg + 0.5))
    return torch.arange(count, dtype=torch.float64) * (360 / count)


def number_type(psis: int) -> torch.dtype:
    """The smallest type for numbers of angles: maps hold one at each sample."""
    return torch.int16 if psis <= 1 << 15 else torch.int32


def fine_transform(images: Tensor, limit: float, size: int, at_once: int = 1) -> FineTransform:
    """Transform images for `rotated_templates`, 0 beyond the limit.

    Parameters
    ----------
    images : Tensor
        ``(refs, n, n)``, centre at ``n // 2``.
    limit : float
        Highest frequency that will be requested, cycles per pixel.
    size : int
        Longer side of the micrograph, pixels.
    at_once : int
        Number of threads; the result does not depend on it.
    """
    box = images.shape[-1]
    wanted = 1 / (2 * size)
    step = max(wanted, 2 * limit / LARGEST_GRID)
    reach = math.ceil(limit / step) + 2
    frequency = torch.arange(-reach, reach + 1, dtype=torch.float64, device=images.device) * step
    offset = torch.arange(box, dtype=torch.float64, device=images.device) - box // 2
    # a bilinear kernel dims the image by sinc^2(offset step); keep it at that of the wanted step
    kernel = (torch.sinc(offset * wanted) / torch.sinc(offset * step)) ** 2
    dimmed = images * (kernel[:, None] * kernel[None, :]).to(images.dtype)
    kept = torch.hypot(frequency[:, None], frequency) <= limit * (1 + 1e-9)

    def parts(image: Tensor) -> Tensor:
        transform = centred_transform(image, frequency, frequency) * kept
        return torch.stack((transform.real, transform.imag))

    with single_threads(at_once) as pool:
        return FineTransform(torch.stack(list(pool.map(parts, dimmed))), step)


def rotated_templates(fine: FineTransform, psi_deg: Tensor, band: Band) -> Tensor:
    """Transforms of rotated references, the centre of the box at the origin.

    Parameters
    ----------
    fine : FineTransform
        Its limit at least the band's.
    psi_deg : Tensor
        ``(psis,)`` degrees; the sense of rotation is that of `cryoflow.compute.image.rotate`.
    band : Band

    Returns
    -------
    Tensor
        Complex ``(refs, psis, rows, columns)`` of the band's block.
    """
    return templates_at(fine, psi_deg, band.y[:, None], band.x) * band.inside


def templates_at(fine: FineTransform, psi_deg: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """`rotated_templates` at frequencies y and x, which together make ``(rows, columns)``."""
    refs, _, size, _ = fine.values.shape
    psi = torch.deg2rad(psi_deg.to(y.device, torch.float64))[:, None, None]
    rotated = x * torch.cos(psi) - y * torch.sin(psi), y * torch.cos(psi) + x * torch.sin(psi)
    to_unit = 2 / (fine.step * (size - 1))
    where = (torch.stack(rotated, -1) * to_unit).to(fine.values.dtype)  # (psis, rows, columns, 2), -1 .. 1
    sampled = torch.nn.functional.grid_sample(
        fine.values.reshape(1, 2 * refs, size, size), where.flatten(0, 1)[None], align_corners=True
    )
    parts = sampled.reshape(refs, 2, *where.shape[:3])
    return torch.complex(parts[:, 0], parts[:, 1])


def template_sums(upright: Tensor, band: Band, area: float, radius: int, shift: int = 0) -> TemplateSums:
    """Sums over `disc_pixels`, the disc of references as the micrograph would show them."""
    values = disc_pixels(upright, band, area, radius, shift)
    count = values.shape[1] + 1
    return TemplateSums(values.sum(1) / count, values.square().sum(1) / count)


def disc_pixels(upright: Tensor, band: Band, area: float, radius: int, shift: int = 0) -> Tensor:
    """Pixels in the disc of references as the micrograph would show them, at full micrograph pixels.

    No full-size transform is needed: the few frequencies of the band give the pixels of the disc directly.

    Parameters
    ----------
    upright : Tensor
        Complex ``(refs, rows, columns)`` of the band's block: references at psi 0, times the CTF.
    band : Band
    area : float
        Pixels of one period of the frequency grid, both axes multiplied.
    radius : int
        Of the disc, pixels.
    shift : int
        Pixels by which the references are moved against the disc.

    Returns
    -------
    Tensor
        Float64 ``(refs, pixels)``, row after row.
    """
    reach = radius - 1
    offset = torch.arange(-reach, reach + 1, dtype=torch.float64, device=upright.device) - shift
    images = inverse_at(upright, band.y, band.x, offset, offset) / area
    return images[:, disc(2 * reach + 1, radius**2, upright.device)].double()
