"""Smoothing, and the noise spectrum of the quiet places of a micrograph."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.image.fourier import frequencies
from cryoflow.compute.image.shells import shell_index, shell_means


class Spectrum(NamedTuple):
    """Noise power by shell; shell k is at ``k / tile`` cycles per pixel."""

    power: Tensor
    """``(tile // 2 + 1,)``, the variance of a white image of this power."""
    tile: int

    def at(self, radius: Tensor) -> Tensor:
        """Power at frequencies in cycles per pixel, linear between shells; shell 0 counts as shell 1."""
        position = (radius * self.tile).clamp(1, len(self.power) - 1)
        low = position.floor().long().clamp_max(len(self.power) - 2)
        return torch.lerp(self.power[low], self.power[low + 1], position - low)


def blurred(image: Tensor, sigma: float, truncate: float) -> Tensor:
    """Convolve ``(h, w)`` with a Gaussian cut off at ``truncate`` sigma, the image mirrored at its edges."""
    rows, columns = (_blur_matrix(n, sigma, truncate, image) for n in image.shape)
    return rows @ image @ columns.T


def _blur_matrix(size: int, sigma: float, truncate: float, like: Tensor) -> Tensor:
    reach = int(truncate * sigma + 0.5)
    offsets = torch.arange(-reach, reach + 1, device=like.device)
    weights = torch.exp(-0.5 * (offsets.double() / sigma) ** 2).to(like.dtype)
    source = (torch.arange(size, device=like.device)[:, None] + offsets) % (2 * size)
    source = torch.minimum(source, 2 * size - 1 - source)
    matrix = like.new_zeros(size, size)
    return matrix.scatter_add_(1, source, (weights / weights.sum()).expand(size, -1).contiguous())


def quiet_spectrum(image: Tensor, tile: int, quantile: float) -> Spectrum:
    """Power by shell of half-overlapping Hann tiles, a low quantile over tiles: ice without particles.

    Parameters
    ----------
    image : Tensor
        ``(h, w)``, slow gradients gone.
    tile : int
        Even side of the tiles, pixels; at most the image's.
    quantile : float
        Which of the tiles counts in each shell, 0 to 1.
    """
    line = torch.hann_window(tile, periodic=False, dtype=image.dtype, device=image.device)
    window = line[:, None] * line
    tiles = image.unfold(0, tile, tile // 2).unfold(1, tile, tile // 2).reshape(-1, tile, tile)
    tiles = tiles - (tiles * window).sum((1, 2), keepdim=True) / window.sum()
    power = torch.fft.rfft2(tiles * window).abs() ** 2 / (window**2).sum()
    by_shell = shell_means(power, shell_index(tile, image.device), tile // 2 + 1)
    floor = torch.finfo(image.dtype).tiny
    return Spectrum(by_shell.quantile(quantile, 0).clamp_min(floor), tile)


def even(size: float) -> int:
    """The even number next to ``size``."""
    return 2 * math.floor(size / 2 + 0.5)


def radius_map(height: int, width: int, pixel_a: float, like: Tensor) -> Tensor:
    """Modulus of the frequencies of a half-plane, 1/A."""
    return frequencies(height, width, like.device, like.dtype).radius / pixel_a
