"""The low frequencies that references keep: a block of the half-plane, and the way back to samples."""

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.work_grid import WorkGrid

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
    """How many of its rows are at 0 and above."""

    def cut(self, half_plane: Tensor) -> Tensor:
        """The block of a half-plane ``(..., rows, columns)``, 0 outside the limit."""
        bottom = len(self.y) - self.top
        rows = half_plane.shape[-2]
        columns = half_plane[..., : len(self.x)]
        parts = (columns[..., : self.top, :], columns[..., rows - bottom :, :])
        return torch.cat(parts, -2) * self.inside


def band_within(grid: WorkGrid, limit: float, device: torch.device | str = "cpu") -> Band:
    """Frequencies of a grid within ``limit`` cycles per micrograph pixel."""
    y, x = grid.frequencies(device)
    limit *= 1 + 1e-9  # a shell at the very limit belongs to it, whatever the rounding
    y, x = y[y.abs() <= limit], x[x <= limit]
    inside = torch.hypot(y[:, None], x[None, :]) <= limit
    return Band(y, x, inside, int((y >= 0).sum()))


class BandInverse:
    """Inverse FFT of products of blocks; keeps one buffer, whose frequencies outside the band stay 0."""

    def __init__(self, band: Band, grid: WorkGrid, batch: int, dtype: torch.dtype) -> None:
        self.band, self.grid, self.batch = band, grid, batch
        full = grid.columns // 2 + 1
        self._few = len(band.x) < _FEW_COLUMNS * full
        columns = len(band.x) if self._few else full
        self._buffer = torch.zeros(batch, grid.rows, columns, dtype=dtype, device=band.inside.device)

    def product(self, blocks: Tensor, factor: Tensor) -> Tensor:
        """Images at the samples on the micrograph behind ``blocks * factor``, ``(n, *grid.inside)``.

        As `torch.fft.irfft2` scales them. ``blocks`` is ``(n, rows, columns)``, n at most the batch.
        """
        top, bottom, columns = self.band.top, len(self.band.y) - self.band.top, len(self.band.x)
        buffer = self._buffer[: len(blocks)]
        torch.mul(blocks[:, :top], factor[:top], out=buffer[:, :top, :columns])
        if bottom:
            torch.mul(blocks[:, top:], factor[top:], out=buffer[:, -bottom:, :columns])
        h, w = self.grid.inside
        if self._few:  # columns of zeros need no transform along y
            lines = torch.fft.ifft(buffer, dim=-2)[:, :h]
            images: Tensor = torch.fft.irfft(lines, n=self.grid.columns)
        else:
            images = torch.fft.irfft2(buffer, s=(self.grid.rows, self.grid.columns))
        return images[:, :h, :w]
