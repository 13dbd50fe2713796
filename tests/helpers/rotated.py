"""References rotated by `cryoflow.compute.image.rotate` over a whole half-plane, and as images."""

import torch
from torch import Tensor

from cryoflow.compute.image.rotate import PaddedTransform, rotation_samples, sample


def rotated_transforms(transform: PaddedTransform, psi_deg: Tensor) -> Tensor:
    """Complex ``(refs, psis, n, n // 2 + 1)`` as by `torch.fft.rfft2`, image centre at the origin."""
    box = transform.box
    ky = torch.fft.fftfreq(box, 1 / box, dtype=torch.float64)[:, None]
    kx = torch.arange(box // 2 + 1, dtype=torch.float64)[None, :]
    inside = (ky**2 + kx**2) <= transform.max_shell**2
    points = [k.expand(inside.shape)[inside] for k in (ky, kx)]
    values = sample(transform, rotation_samples(box, psi_deg, *points))
    out = values.new_zeros(*values.shape[:-1], *inside.shape)
    out[..., inside] = values
    return out


def rotated_images(transform: PaddedTransform, psi_deg: Tensor) -> Tensor:
    """``(refs, psis, n, n)``, centre at ``n // 2``."""
    box = transform.box
    images = torch.fft.irfft2(rotated_transforms(transform, psi_deg), s=(box, box))
    return torch.roll(images, (box // 2, box // 2), dims=(-2, -1))
