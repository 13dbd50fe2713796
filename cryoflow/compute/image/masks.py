"""Soft discs: masking particles and flattening the solvent of references."""

from __future__ import annotations

import torch
from torch import Tensor

from cryoflow.compute.image.shells import shell_index


def outside_weight(box: int, radius_px: float, edge_px: float) -> Tensor:
    """0 inside ``radius_px``, 1 beyond ``radius_px + edge_px``, a raised cosine between: float64 ``(box,
    box)``."""
    offset = torch.arange(box, dtype=torch.float64) - box // 2
    radius = torch.hypot(offset[:, None], offset[None, :])
    phase = ((radius - radius_px) / edge_px).clamp(0, 1)
    return 0.5 - 0.5 * torch.cos(torch.pi * phase)


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
