"""How alike two images are, frequency by frequency."""

from __future__ import annotations

import torch
from torch import Tensor

from cryoflow.compute.image.fourier import shells


def ring_correlation(one: Tensor, other: Tensor) -> Tensor:
    """Fourier ring correlation (Saxton and Baumeister 1982, J Microsc 127:127).

    Parameters
    ----------
    one, other : Tensor
        Square images ``(K, n, n)``, compared one by one.

    Returns
    -------
    Tensor
        float64 ``(K, n // 2 + 1)``, by shell; 0 where one of the two has nothing.
    """
    box = one.shape[-1]
    shell = shells(box, one.device).flatten()
    keep = shell <= box // 2

    def sums(values: Tensor) -> Tensor:
        flat = values.flatten(1)[:, keep]
        return flat.new_zeros(len(flat), box // 2 + 1).index_add_(1, shell[keep], flat)

    a, b = torch.fft.rfft2(one.double()), torch.fft.rfft2(other.double())
    power = sums(a.abs().square()) * sums(b.abs().square())
    correlation: Tensor = sums((a * b.conj()).real) / power.sqrt()
    return torch.where(power > 0, correlation, 0)
