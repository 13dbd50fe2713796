"""Sums of an image times small kernels around each of its samples."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from cryoflow.compute.image.fourier import good_size, shift_phases


class Correlator(NamedTuple):
    """The transform of an image repeated beyond its edges as far as kernels of n pixels reach."""

    transform: Tensor
    rotated: Tensor
    """The same for kernels rotated by 180 degrees."""
    size: tuple[int, int]
    """Size of the transformed image, and of the given one."""
    shape: tuple[int, int]

    def sums(self, kernels: Tensor) -> Tensor:
        """Sum of image times kernel around each sample: ``(..., h, w)`` for ``(..., n, n)`` kernels."""
        return self._back(self.transform * self._spread(kernels).conj())

    def opposite_sums(self, kernels: Tensor) -> tuple[Tensor, Tensor]:
        """`sums` with kernels, and with kernels rotated by 180 degrees, which share a transform.

        Row 0 and column 0 of the kernels, which lie opposite no others, must be 0.
        """
        spread = self._spread(kernels)
        return self._back(self.transform * spread.conj()), self._back(self.rotated * spread)

    def _spread(self, kernels: Tensor) -> Tensor:
        rows = torch.fft.rfft(kernels, n=self.size[1])
        spread: Tensor = torch.fft.fft(rows, n=self.size[0], dim=-2)
        return spread

    def _back(self, product: Tensor) -> Tensor:
        sums: Tensor = torch.fft.irfft2(product, s=self.size)
        return sums[..., : self.shape[0], : self.shape[1]]


def correlator(image: Tensor, n: int) -> Correlator:
    """Prepare a ``(h, w)`` image for kernels of ``n x n`` pixels, centre ``n // 2``."""
    height, width = image.shape
    low, high = n // 2, n - n // 2
    wrapped = pad(image[None, None], (low, high, low, high), mode="circular")[0, 0]
    size = (good_size(height + n), good_size(width + n))
    transform = torch.fft.rfft2(wrapped, s=size)
    rotated = transform * shift_phases(*size, -n, -n, transform)
    return Correlator(transform, rotated, size, (height, width))
