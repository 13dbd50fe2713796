"""Half-plane Fourier transforms: frequencies, sizes, resizing, shifting, filters.

Conventions everywhere in ``cryoflow.compute``: images are ``(..., y, x)``; transforms are those of
`torch.fft.rfft2` (unnormalised forward), shape ``(..., h, w // 2 + 1)``; the centre of a box of n pixels is
``n // 2``; the origin of a transform is pixel 0 unless a docstring says "centred".
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Frequencies(NamedTuple):
    """Frequencies of a half-plane, cycles per pixel: ``y`` is ``(h, 1)``, ``x`` is ``(1, w // 2 + 1)``."""

    y: Tensor
    x: Tensor

    @property
    def radius(self) -> Tensor:
        """Modulus, ``(h, w // 2 + 1)``."""
        return torch.hypot(self.y, self.x)


def frequencies(
    height: int, width: int, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Frequencies:
    """Frequencies of the half-plane of a ``(height, width)`` image."""
    y = torch.fft.fftfreq(height, device=device, dtype=dtype)[:, None]
    x = torch.fft.rfftfreq(width, device=device, dtype=dtype)[None, :]
    return Frequencies(y, x)


def good_size(minimum: int) -> int:
    """The smallest even number of at least ``minimum`` with no prime factor above 5 (fast to transform)."""
    size = minimum + minimum % 2
    while _largest_factor_left(size) > 1:
        size += 2
    return size


def _largest_factor_left(number: int) -> int:
    for prime in (2, 3, 5):
        while number % prime == 0:
            number //= prime
    return number


def shift_phases(height: int, width: int, dy: Tensor | float, dx: Tensor | float, like: Tensor) -> Tensor:
    """Factors that move an image by ``(dy, dx)`` pixels: content at p goes to p + d.

    ``dy`` and ``dx`` may be ``(...,)`` tensors; the result is complex, ``(..., h, w // 2 + 1)``, with the
    device and precision of ``like``.
    """
    real = like.real.dtype if like.is_complex() else like.dtype
    grid = frequencies(height, width, like.device, real)
    dy_t = torch.as_tensor(dy, device=like.device, dtype=real)[..., None, None]
    dx_t = torch.as_tensor(dx, device=like.device, dtype=real)[..., None, None]
    angle = -2 * torch.pi * (grid.y * dy_t + grid.x * dx_t)
    return torch.polar(torch.ones_like(angle), angle)


def lowpass_mask(radius: Tensor, cutoff: float, edge: float) -> Tensor:
    """Raised-cosine low-pass: 1 below ``cutoff - edge / 2``, 0 above ``cutoff + edge / 2``.

    All three arguments share one unit. The edge of RELION's filters is two Fourier pixels wide: ``2 / size``
    cycles per pixel.
    """
    if edge <= 0:
        return (radius <= cutoff).to(radius.dtype)
    phase = ((radius - cutoff) / edge + 0.5).clamp(0, 1)
    return 0.5 + 0.5 * torch.cos(torch.pi * phase)


def highpass_mask(radius: Tensor, cutoff: float, edge: float) -> Tensor:
    """One minus `lowpass_mask`."""
    return 1 - lowpass_mask(radius, cutoff, edge)
