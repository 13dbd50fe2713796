"""Similarity of two images by frequency."""

from __future__ import annotations

import torch
from torch import Tensor

from cryoflow.compute.image.shells import shell_index, shell_sums


def ring_correlation(one: Tensor, other: Tensor) -> Tensor:
    """Fourier ring correlation (Saxton and Baumeister 1982, J Microsc 127:127).

    Parameters
    ----------
    one, other : Tensor
        Square images ``(K, n, n)``, compared one by one.

    Returns
    -------
    Tensor
        float64 ``(K, n // 2 + 1)``, by shell; 0 where one of the two has no power.
    """
    box = one.shape[-1]
    shell = shell_index(box, one.device)

    def sums(values: Tensor) -> Tensor:
        return shell_sums(values, shell, box // 2 + 1)

    a, b = torch.fft.rfft2(one.double()), torch.fft.rfft2(other.double())
    power = sums(a.abs().square()) * sums(b.abs().square())
    correlation: Tensor = sums((a * b.conj()).real) / power.sqrt()
    return torch.where(power > 0, correlation, 0)
