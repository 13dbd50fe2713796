"""The samples at which a micrograph is searched: rectangular, of RELION's spacing, of fast FFT sizes.

RELION pads a micrograph with noise to a square of its longer side, ``size`` pixels, and searches it at
``work`` samples per side. Here each axis keeps the spacing ``size / work`` and the phase, and has as many
samples as it needs; where RELION's square costs little more it is kept, but with nothing instead of the
noise: then figures of merit agree up to the borders. Position of sample j: ``top + spacing j`` in
micrograph pixels; one sample lies on the centre pixel ``n // 2``.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.image.fourier import good_size
from cryoflow.compute.image.partial_dft import FoldedBasis, folded_basis, forward, with_origin
from cryoflow.errors import CryoflowError

LEAST = 4
"""Samples per side below which a micrograph is too small to search."""
LARGEST_PRIME = 43
"""RELION's limit for the prime factors of a work size."""
LARGEST_SQUARE = 1024
"""Samples per side of the largest of RELION's squares to keep; above it the size of FFTs matters more."""
NEARLY_SQUARE = 0.8
"""Smallest ratio of a micrograph's sides for which RELION's square is kept."""


class WorkGrid(NamedTuple):
    """Samples over a micrograph of ``height`` x ``width`` pixels."""

    height: int
    width: int
    spacing: float
    """Micrograph pixels from one sample to the next, at least 1."""
    rows: int
    """Length of the FFT along y; its period is ``rows * spacing`` pixels, at least the height."""
    columns: int

    @property
    def top(self) -> float:
        """Micrograph row of sample 0."""
        return self._first(self.height)

    @property
    def left(self) -> float:
        """Micrograph column of sample 0."""
        return self._first(self.width)

    @property
    def centre(self) -> tuple[int, int]:
        """Row and column of the sample on the centre pixel."""
        return (
            round((self.height // 2 - self.top) / self.spacing),
            round((self.width // 2 - self.left) / self.spacing),
        )

    @property
    def correlation_shift(self) -> int:
        """Pixels by which references are compared beyond each sample, along both axes.

        RELION moves a micrograph of odd size by one pixel against its references, and those against their
        disc. Doing the same keeps figures of merit comparable; coordinates say where the comparison was made.
        """
        return max(self.height, self.width) % 2

    @property
    def inside(self) -> tuple[int, int]:
        """Number of samples on the micrograph, along y and x."""
        return (
            int((self.height - 1 - self.top) / self.spacing + 1e-9) + 1,
            int((self.width - 1 - self.left) / self.spacing + 1e-9) + 1,
        )

    def _first(self, length: int) -> float:
        centre = length // 2
        return centre - math.floor(centre / self.spacing + 1e-9) * self.spacing

    def frequencies(self, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
        """Frequencies in cycles per micrograph pixel, float64 ``(rows,)`` and ``(columns // 2 + 1,)``.

        As `torch.fft.fftfreq` orders them, but for the Nyquist row, which is the one above 0, as in RELION.
        """
        y = torch.fft.fftfreq(self.rows, self.spacing, device=device, dtype=torch.float64)
        y[self.rows // 2] = y[self.rows // 2].abs()
        x = torch.fft.rfftfreq(self.columns, self.spacing, device=device, dtype=torch.float64)
        return y, x


def work_grid(
    height: int, width: int, pixel_size_a: float, lowpass_a: float | None, shrink: float
) -> WorkGrid:
    """Grid for a micrograph.

    Parameters
    ----------
    height, width : int
        Micrograph in pixels.
    pixel_size_a : float
        A per pixel.
    lowpass_a : float or None
        Resolution of the references in A; None for no low-pass.
    shrink : float
        RELION's shrink factor: 0 for the size that the low-pass requires, else the fraction of the full size.

    Raises
    ------
    CryoflowError
        When too few samples are left.
    """
    size = max(height, width)
    wanted = band_size(size, pixel_size_a, lowpass_a) if shrink == 0 else _even(shrink * size)
    if wanted < LEAST:
        raise CryoflowError(
            f"{size} pixels of {pixel_size_a:g} A would be shrunk to {max(wanted, 0)}; give a finer low-pass "
            "or resolution, or a larger shrink factor"
        )
    work = min(relion_work_size(wanted, size), size)
    spacing = size / work
    if work <= LARGEST_SQUARE and min(height, width) >= NEARLY_SQUARE * size:
        rows = columns = work
    else:
        rows, columns = (good_size(math.ceil(n / spacing - 1e-9)) for n in (height, width))
    return WorkGrid(height, width, spacing, rows, columns)


def band_size(size: int, pixel_size_a: float, lowpass_a: float | None) -> int:
    """Samples a side that hold the resolution ``lowpass_a``: ``2 round(size * pixel / lowpass)``."""
    return size if lowpass_a is None else min(2 * _round(size * pixel_size_a / lowpass_a), size)


def band_limit(height: int, width: int, pixel_size_a: float, lowpass_a: float | None) -> float:
    """Highest frequency of the references, cycles per micrograph pixel (the last shell of `band_size`)."""
    size = max(height, width)
    return band_size(size, pixel_size_a, lowpass_a) / 2 / size


def relion_work_size(wanted: int, limit: int) -> int:
    """RELION's work size: the nearest even size n where n and n/2 + 1 have small prime factors only."""
    if _largest_prime(wanted) <= LARGEST_PRIME:
        return wanted - wanted % 2
    up, down = wanted, wanted
    while _largest_prime(up) >= LARGEST_PRIME and up <= limit + 2:
        up += 2
    while _largest_prime(down) >= LARGEST_PRIME:
        down -= 2
    chosen = down if up - wanted > wanted - down or up > limit else up
    return chosen - chosen % 2


def _largest_prime(size: int) -> int:
    """Largest prime factor of ``size`` and of ``size // 2 + 1``."""
    return max(_largest_factor(size), _largest_factor(size // 2 + 1))


def _largest_factor(number: int) -> int:
    factor = 2
    while factor * factor <= number:
        if number % factor:
            factor += 1
        else:
            number //= factor
    return number


def _round(value: float) -> int:
    return math.floor(value + 0.5)


def _even(value: float) -> int:
    rounded = _round(value)
    return rounded - rounded % 2


def sampled_transform(
    images: Tensor, grid: WorkGrid, pixelwise: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Half-plane transforms whose inverse FFT is the images at the grid's samples.

    Parameters
    ----------
    images : Tensor
        ``(..., height, width)``.
    grid : WorkGrid
    pixelwise : callable, optional
        Transform what this makes of the pixels.

    Returns
    -------
    Tensor
        Complex ``(..., rows, columns // 2 + 1)``: ``sum image exp(-2 pi i f (position - position of sample
        0))``, the image taken as 0 outside itself. ``irfft2`` of it, divided by ``spacing ** 2``, is the
        image at the samples, without frequencies above the grid's Nyquist frequency.
    """
    if grid.spacing == 1:
        changed = images if pixelwise is None else pixelwise(images)
        full: Tensor = torch.fft.rfft2(changed, s=(grid.rows, grid.columns))
        return full
    return forward(images, *_bases(grid, images.device, images.dtype), pixelwise)


@lru_cache(maxsize=4)
def _bases(grid: WorkGrid, device: torch.device, dtype: torch.dtype) -> tuple[FoldedBasis, FoldedBasis]:
    """Bases of both axes with sample 0 as the origin; the same for all micrographs of a size."""
    y, x = grid.frequencies(device)
    return (
        with_origin(folded_basis(grid.height, y, dtype), y, grid.top),
        with_origin(folded_basis(grid.width, x, dtype), x, grid.left),
    )
