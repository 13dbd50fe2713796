"""Transforms at chosen frequencies and positions, by products with cosine and sine matrices.

Picking needs a few hundred frequencies of an image of thousands of pixels, on a grid whose period is rarely a
whole number of pixels. A product per axis gives just those, exactly, at about the price of an FFT of the
whole image and whatever prime factors its sides have. Folding the image about its middle halves the work.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.image.blocks import row_blocks


class FoldedBasis(NamedTuple):
    """Cosines and sines over half an axis; phases count from pixel 0. From `folded_basis`."""

    cosine: Tensor
    """Cosines of the distinct absolute frequencies, ``(absolute values, ceil(n / 2))``."""
    sine: Tensor
    """The same."""
    place: Tensor
    """Number of each frequency's absolute value, ``(frequencies,)``."""
    sign: Tensor
    """Sign of each frequency, real ``(frequencies,)``."""
    phase: Tensor
    """Complex ``(frequencies,)``: moves the origin from the middle of the axis to pixel 0."""


def folded_basis(length: int, frequency: Tensor, dtype: torch.dtype = torch.float32) -> FoldedBasis:
    """Basis of ``sum_y image[y] exp(-2 pi i frequency y)`` for `forward`.

    Parameters
    ----------
    length : int
        Pixels along the axis.
    frequency : Tensor
        ``(frequencies,)`` float64, cycles per pixel.
    dtype : torch.dtype
        Real type of the result; the angles are worked out in double precision.
    """
    middle = (length - 1) / 2
    half = (length + 1) // 2
    offset = torch.arange(half, device=frequency.device, dtype=torch.float64) - middle
    size, place = torch.unique(frequency.abs(), return_inverse=True)
    angle = 2 * torch.pi * size[:, None] * offset[None, :]
    to_origin = -2 * torch.pi * frequency * middle
    phase = torch.polar(torch.ones_like(to_origin), to_origin)
    complex_type = torch.complex128 if dtype == torch.float64 else torch.complex64
    waves = torch.cos(angle).to(dtype), torch.sin(angle).to(dtype)
    return FoldedBasis(*waves, place, frequency.sign().to(dtype), phase.to(complex_type))


def forward(
    images: Tensor, y: FoldedBasis, x: FoldedBasis, pixelwise: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Transform of real images at the frequencies of two bases.

    Parameters
    ----------
    images : Tensor
        Real ``(..., h, w)``.
    y, x : FoldedBasis
        Of lengths ``h`` and ``w``.
    pixelwise : callable, optional
        Transform what this makes of the pixels; it is given a few rows at a time.

    Returns
    -------
    Tensor
        ``sum image[y, x] exp(-2 pi i (fy y + fx x))``, complex ``(..., y frequencies, x frequencies)``.
    """
    blocks = (block if pixelwise is None else pixelwise(block) for block in row_blocks(images))
    rows = torch.cat([_along_rows(block, x) for block in blocks], -2)
    count = len(x.phase)
    even, odd = (part.mT for part in _fold(rows.mT))
    cosine = (y.cosine @ even).index_select(-2, y.place)
    sine = (y.sine @ odd).index_select(-2, y.place) * y.sign[:, None]
    real = cosine[..., :count] - sine[..., count:]
    imaginary = -cosine[..., count:] - sine[..., :count]
    return torch.complex(real, imaginary) * (y.phase[:, None] * x.phase[None, :])


def _along_rows(images: Tensor, x: FoldedBasis) -> Tensor:
    """``(..., h, 2 K)``: the real part, then minus the imaginary part."""
    even, odd = _fold(images)
    cosine = (even @ x.cosine.mT).index_select(-1, x.place)
    return torch.cat((cosine, (odd @ x.sine.mT).index_select(-1, x.place) * x.sign), -1)


def centred_transform(images: Tensor, frequency_y: Tensor, frequency_x: Tensor) -> Tensor:
    """`forward` with the centre ``n // 2`` of both axes as the origin, ``(..., y, x frequencies)``."""
    y, x = (
        with_origin(folded_basis(length, frequency, images.dtype), frequency, length // 2)
        for length, frequency in zip(images.shape[-2:], (frequency_y, frequency_x), strict=True)
    )
    return forward(images, y, x)


def with_origin(basis: FoldedBasis, frequency: Tensor, position: float) -> FoldedBasis:
    """Count the phases of a basis from ``position`` (pixels) instead of pixel 0."""
    angle = 2 * torch.pi * frequency * position
    phase = basis.phase * torch.polar(torch.ones_like(angle), angle)
    return basis._replace(phase=phase.to(basis.phase.dtype))


def _fold(images: Tensor) -> tuple[Tensor, Tensor]:
    """Sums and differences of pixels that mirror each other about the middle of the last axis."""
    length = images.shape[-1]
    first, mirrored = images[..., : (length + 1) // 2], images[..., length // 2 :].flip(-1)
    even, odd = first + mirrored, first - mirrored
    if length % 2:  # the middle pixel mirrors itself
        even[..., -1] /= 2
    return even, odd


def inverse_at(
    half_plane: Tensor, frequency_y: Tensor, frequency_x: Tensor, position_y: Tensor, position_x: Tensor
) -> Tensor:
    """Real image behind a half-plane, at any positions: the plain sum over all frequencies.

    Parameters
    ----------
    half_plane : Tensor
        Complex ``(..., y frequencies, x frequencies)`` of a real image; x frequencies start at 0 and stay
        below the highest possible one, so that each but the first represents itself and its mirror image.
    frequency_y, frequency_x : Tensor
        Float64, cycles per pixel.
    position_y, position_x : Tensor
        Float64 ``(h,)`` and ``(w,)``, pixels.

    Returns
    -------
    Tensor
        ``(..., h, w)``.
    """
    real = half_plane.real.dtype
    angle_y = 2 * torch.pi * position_y[:, None] * frequency_y[None, :]
    angle_x = 2 * torch.pi * position_x[:, None] * frequency_x[None, :]
    weight = torch.where(frequency_x == 0, 1.0, 2.0)
    phase_y = torch.polar(torch.ones_like(angle_y), angle_y).to(half_plane.dtype)
    rows = phase_y @ half_plane  # (..., h, x frequencies)
    cosine, sine = (weight * torch.cos(angle_x)).to(real), (weight * torch.sin(angle_x)).to(real)
    return rows.real @ cosine.mT - rows.imag @ sine.mT
