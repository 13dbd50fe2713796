"""Discs in real space, hard and soft, and masking with them.

The centre of a box of n pixels is pixel ``n // 2``; r is the distance of a pixel's centre from it, in pixels.
RELION's programs draw the edge of a disc of radius R differently, and so do the callers:

==========================================  ===================================  ==========================
inside                                      function                             program
==========================================  ===================================  ==========================
``r^2 < R^2``                               `disc`                               autopick, particle_sort
``r^2 <= R^2`` (background is ``r^2 > R^2``)  `outside_disc`                       preprocess
raised cosine from R to R + edge            `outside_weight`                     refine (particle mask)
raised cosine from R - edge/2 to R + edge/2  `soft_disc`                          none: learnt scores
==========================================  ===================================  ==========================
"""

from __future__ import annotations

import torch
from torch import Tensor

from cryoflow.compute.image.fourier import lowpass_mask
from cryoflow.compute.image.shells import shell_index


def positions(size: int, device: torch.device | str = "cpu", dtype: torch.dtype = torch.int64) -> Tensor:
    """Pixels counted from the centre ``size // 2``, ``(size,)``."""
    return torch.arange(size, device=device, dtype=dtype) - size // 2


def squared_radius(size: int, device: torch.device | str = "cpu") -> Tensor:
    """``r^2`` of each pixel, exact: int64 ``(size, size)``."""
    offset = positions(size, device)
    return offset[:, None] ** 2 + offset[None, :] ** 2


def distance_map(size: int, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float64) -> Tensor:
    """``r`` of each pixel, ``(size, size)``."""
    offset = positions(size, device, dtype)
    return torch.hypot(offset[:, None], offset[None, :])


def disc(size: int, radius_squared: float, device: torch.device | str = "cpu") -> Tensor:
    """``r^2 < radius_squared``, bool ``(size, size)``; float, since RELION's sorting has the square of half a
    mean width."""
    return squared_radius(size, device) < radius_squared


def outside_disc(size: int, radius_px: float, device: torch.device | str = "cpu") -> Tensor:
    """``r^2 > radius_px^2``, bool ``(size, size)``."""
    return squared_radius(size, device) > radius_px * radius_px


def outside_weight(box: int, radius_px: float, edge_px: float) -> Tensor:
    """0 inside ``radius_px``, 1 beyond ``radius_px + edge_px``, a raised cosine between: float64 ``(box,
    box)``."""
    phase = ((distance_map(box) - radius_px) / edge_px).clamp(0, 1)
    return 0.5 - 0.5 * torch.cos(torch.pi * phase)


def soft_disc(size: int, radius_px: float, edge_px: float, like: Tensor) -> Tensor:
    """1 inside, 0 outside, 1/2 at ``radius_px``, a raised cosine ``edge_px`` wide: ``(size, size)`` with the
    dtype and device of ``like``."""
    return lowpass_mask(distance_map(size, like.device, like.dtype), radius_px, edge_px)


def mask_with_mean(images: Tensor, outside: Tensor) -> Tensor:
    """Blend images ``(..., n, n)`` outside of a disc into the mean of that region, weighted by
    ``outside``."""
    weight = outside.sum().clamp_min(1e-12)
    mean = (images * outside).sum((-2, -1), keepdim=True) / weight
    return images + outside * (mean - images)


def mask_with_noise(images: Tensor, outside: Tensor, noise: Tensor) -> Tensor:
    """Blend images ``(..., n, n)`` outside of a disc into ``noise`` of the same shape."""
    return images + outside * (noise - images)


def noise_image(generator: torch.Generator, spectrum: Tensor) -> Tensor:
    """One image of coloured noise.

    Parameters
    ----------
    generator : torch.Generator
        Source of randomness, on the CPU.
    spectrum : Tensor
        ``(S,)``, variance of the real and of the imaginary part at each shell, of transforms divided by n^2.

    Returns
    -------
    Tensor
        float64 ``(n, n)`` with n = 2 (S - 1).
    """
    box = 2 * (spectrum.shape[0] - 1)
    white = torch.randn(box, box, generator=generator, dtype=torch.float64)
    padded = torch.cat((spectrum, spectrum.new_zeros(box)))  # corners beyond the last shell stay empty
    amplitude = (2 * padded[shell_index(box)]).sqrt() * box  # white noise has |F|^2 = n^2 on average
    image: Tensor = torch.fft.irfft2(torch.fft.rfft2(white) * amplitude, s=(box, box))
    return image
