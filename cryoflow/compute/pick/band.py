"""The low frequencies that references keep: a block of the half-plane, and the way back to samples.

A complex inverse FFT takes less time than two real ones. With B the transform of a micrograph and
``T = a + ib`` that of a template, whose conjugate is the transform of the template rotated by 180 degrees,
the images behind ``B (a - ib)`` and ``B (a + ib)`` are real and imaginary part of the one behind
``(1 + i) B (a - b)``: one real number per frequency, ``a - b`` over the full plane, represents both.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.pick.search_grid import WorkGrid

_FEW_COLUMNS = 0.6


class Band(NamedTuple):
    """Frequencies up to a limit, in FFT order, cycles per micrograph pixel."""

    y: Tensor
    """Float64 ``(rows of the block,)``: 0 and above, then below 0."""
    x: Tensor
    """Float64 ``(columns of the block,)``, from 0."""
    inside: Tensor
    """Bool ``(rows, columns)`` of the block: within the limit."""
    top: int
    """Number of its rows at 0 and above."""

    @property
    def full_x(self) -> Tensor:
        """All columns of the full plane, float64 ``(2 columns - 1,)``: those from 0, then those below 0."""
        return torch.cat((self.x, -self.x[1:].flip(0)))

    def below_nyquist(self, grid: WorkGrid) -> Tensor:
        """Frequencies of the block below the grid's Nyquist frequency, bool ``(rows, columns)``."""
        nyquist = 0.5 / grid.spacing * (1 - 1e-9)
        return (self.y.abs() < nyquist)[:, None] & (self.x < nyquist)

    def cut(self, half_plane: Tensor) -> Tensor:
        """The block of a half-plane ``(..., rows, columns)``, 0 outside the limit."""
        bottom = len(self.y) - self.top
        rows = half_plane.shape[-2]
        columns = half_plane[..., : len(self.x)]
        parts = (columns[..., : self.top, :], columns[..., rows - bottom :, :])
        return torch.cat(parts, -2) * self.inside

    def spread(self, block: Tensor, grid: WorkGrid) -> Tensor:
        """The half-plane of a grid with a block ``(..., rows, columns)`` in it, and 0 elsewhere."""
        half = block.new_zeros(*block.shape[:-2], grid.rows, grid.columns // 2 + 1)
        bottom, columns = len(self.y) - self.top, len(self.x)
        half[..., : self.top, :columns] = block[..., : self.top, :]
        half[..., grid.rows - bottom :, :columns] = block[..., self.top :, :]
        return half


def band_within(grid: WorkGrid, limit: float, device: torch.device | str = "cpu") -> Band:
    """Frequencies of a grid within ``limit`` cycles per micrograph pixel."""
    y, x = grid.frequencies(device)
    limit *= 1 + 1e-9  # include a shell exactly at the limit despite rounding
    y, x = y[y.abs() <= limit], x[x <= limit]
    inside = torch.hypot(y[:, None], x[None, :]) <= limit
    return Band(y, x, inside, int((y >= 0).sum()))


def paired(templates: Tensor) -> Tensor:
    """Real minus imaginary part over the full plane: real ``(..., rows, 2 columns - 1)``, negative x last.

    Parameters
    ----------
    templates : Tensor
        Complex ``(..., rows, columns)`` of a band's block: transforms of real images.
    """
    whole = full_plane(templates)
    return whole.real - whole.imag


def full_plane(half: Tensor) -> Tensor:
    """A block ``(..., rows, columns)`` of a real image's transform, or of its gain, at all columns."""
    mirrored = half[..., _opposite(half.shape[-2], half.device), 1:].flip(-1)
    return torch.cat((half, mirrored.conj()), -1)


def _opposite(rows: int, device: torch.device) -> Tensor:
    """Index of the row of -y; the Nyquist row, if present, is its own opposite."""
    return -torch.arange(rows, device=device) % rows


class PairInverse:
    """Correlations of one micrograph with templates and their opposites; keeps its buffers.

    Nothing is compared at the Nyquist frequency of the grid, where a template and its opposite are the same.

    Parameters
    ----------
    band, grid : Band, WorkGrid
    batch : int
        Maximum number of pairs at a time.
    block : Tensor
        The micrograph's transform within the band, complex.
    """

    def __init__(self, band: Band, grid: WorkGrid, batch: int, block: Tensor) -> None:
        self.grid = grid
        self._factor = (1 + 1j) * full_plane(block * band.below_nyquist(grid))
        self._rows = _halves(band.top, len(band.y), grid.rows)
        self._columns = _halves(len(band.x), self._factor.shape[1], grid.columns)
        self._few = self._factor.shape[1] < _FEW_COLUMNS * grid.columns
        width = self._factor.shape[1] if self._few else grid.columns
        self._buffer = block.new_zeros(batch, grid.rows, width)
        self._wide = block.new_zeros(batch, grid.inside[0], grid.columns) if self._few else self._buffer

    def images(self, pairs: Tensor) -> Tensor:
        """Correlations at the samples on the micrograph, real ``(n, h, w, 2)``: templates, their opposites.

        Parameters
        ----------
        pairs : Tensor
            From `paired`, ``(n, rows, columns)``.
        """
        h, w = self.grid.inside
        buffer, wide = self._buffer[: len(pairs)], self._wide[: len(pairs)]
        every = (slice(None), slice(None))
        for source, target in self._rows:
            for part, place in (every,) if self._few else self._columns:
                where = (slice(None), target, place)
                torch.mul(pairs[:, source, part], self._factor[source, part], out=buffer[where])
        if self._few:  # columns of zeros need no transform along y
            lines = torch.fft.ifft(buffer, dim=-2)
            for source, target in self._columns:
                wide[..., target] = lines[:, :h, source]
            images = torch.fft.ifft(wide)
        else:
            images = torch.fft.ifft2(buffer)
        return torch.view_as_real(images)[:, :h, :w]


def _halves(first: int, count: int, size: int) -> tuple[tuple[slice, slice], ...]:
    """Slices of the frequencies from 0, and of those below 0, in a block and in a transform of ``size``."""
    return (slice(first), slice(first)), (slice(first, None), slice(size - (count - first), None))
