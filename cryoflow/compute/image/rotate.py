"""In-plane rotation as RELION does it: bilinear sampling of a padded, gridding-corrected transform.

Picking, sorting and classification all rotate references in this way, so that their scores can be compared
with RELION's. The reference rotated by psi has, at offset ``(y, x)`` from the centre, the value of the
reference at ``(y cos psi + x sin psi, -y sin psi + x cos psi)``.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.image.masks import distance_map

PADDING = 2


class PaddedTransform(NamedTuple):
    """Transform of centred square images, zero-padded two-fold."""

    values: Tensor
    """Complex ``(refs, 2 n, 2 n)``, zero beyond ``max_shell``; image centre at the origin, pixel 0."""
    box: int
    """n, pixels of the unpadded images."""
    max_shell: int
    """Last shell, in Fourier pixels of the unpadded box."""


class Samples(NamedTuple):
    """Indices into a flattened padded transform, and weights: each ``(psis, points, 4)``."""

    position: Tensor
    weight: Tensor


def padded_transform(images: Tensor, max_shell: int | None = None) -> PaddedTransform:
    """Divide by the gridding function ``sinc^2(r / 2n)``, pad two-fold and transform.

    Parameters
    ----------
    images : Tensor
        ``(refs, n, n)``, n even, centre at ``n // 2``.
    max_shell : int, optional
        Last shell kept; default ``n // 2``.
    """
    box = images.shape[-1]
    max_shell = box // 2 if max_shell is None else max_shell
    gridding = torch.sinc(distance_map(box, images.device, images.dtype) / (PADDING * box)) ** 2
    padded = images.new_zeros(*images.shape[:-2], PADDING * box, PADDING * box)
    padded[..., :box, :box] = images / gridding
    padded = torch.roll(padded, (-(box // 2), -(box // 2)), dims=(-2, -1))
    values = torch.fft.fft2(padded)
    k = torch.fft.fftfreq(PADDING * box, 1 / (PADDING * box), device=images.device)
    outside = k[:, None] ** 2 + k[None, :] ** 2 > (PADDING * max_shell) ** 2
    return PaddedTransform(values.masked_fill(outside, 0), box, max_shell)


def rotation_samples(box: int, psi_deg: Tensor, ky: Tensor, kx: Tensor) -> Samples:
    """Four neighbours and bilinear weights in a padded transform for rotated frequencies.

    Parameters
    ----------
    box : int
        n of the unpadded images.
    psi_deg : Tensor
        ``(psis,)`` angles in degrees.
    ky, kx : Tensor
        ``(points,)`` frequencies in Fourier pixels of the unpadded box, up to its last shell.
    """
    size = PADDING * box
    psi = torch.deg2rad(psi_deg.double())[:, None]
    ky, kx = ky.double(), kx.double()
    y = PADDING * (ky * torch.cos(psi) + kx * torch.sin(psi))
    x = PADDING * (-ky * torch.sin(psi) + kx * torch.cos(psi))
    y0, x0 = y.floor(), x.floor()
    fy, fx = y - y0, x - x0
    rows = torch.stack((y0, y0, y0 + 1, y0 + 1), -1).long() % size
    columns = torch.stack((x0, x0 + 1, x0, x0 + 1), -1).long() % size
    weight = torch.stack(((1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx), -1)
    return Samples(rows * size + columns, weight)


def sample(transform: PaddedTransform, samples: Samples) -> Tensor:
    """Values of a padded transform at the given samples, complex ``(refs, psis, points)``."""
    flat = transform.values.flatten(-2)
    weight = samples.weight.to(flat.real.dtype)
    return sum(
        (flat[..., samples.position[..., i]] * weight[..., i] for i in range(4)),
        start=flat.new_zeros(*flat.shape[:-1], *samples.position.shape[:-1]),
    )
