"""Each particle's own reference at its own angle, by the rotation of `cryoflow.compute.image.rotate`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from cryoflow.compute.image.rotate import PADDING, PaddedTransform


def rotated_each(transform: PaddedTransform, reference: Tensor, psi_deg: Tensor) -> Tensor:
    """Half-plane transforms of references, each rotated by one angle.

    Parameters
    ----------
    transform : PaddedTransform
        From `cryoflow.compute.image.rotate.padded_transform`.
    reference : Tensor
        Which reference each pose is of, from 0, int64 ``(n,)``.
    psi_deg : Tensor
        ``(n,)`` in degrees.

    Returns
    -------
    Tensor
        Complex ``(n, box, box // 2 + 1)``, unnormalised as by `torch.fft.rfft2`, image centre at the origin;
        zero beyond ``max_shell``.
    """
    box = transform.box
    real = transform.values.real.dtype
    ky = torch.fft.fftfreq(box, 1 / box, device=psi_deg.device, dtype=real)[:, None]
    kx = torch.arange(box // 2 + 1, device=psi_deg.device, dtype=real)
    grid = _grid(torch.deg2rad(psi_deg.double()), ky, kx, box)
    out = transform.values.new_empty(len(psi_deg), box, box // 2 + 1)
    planes = _centred(transform)
    for number in sorted(set(reference.tolist())):
        mine = torch.nonzero(reference == number).flatten()
        plane = planes[number].expand(len(mine), -1, -1, -1)
        sampled = grid_sample(plane, grid[mine], mode="bilinear", align_corners=True)
        out[mine] = torch.complex(sampled[:, 0], sampled[:, 1])
    return out.masked_fill(ky**2 + kx**2 > transform.max_shell**2, 0)


def _centred(transform: PaddedTransform) -> Tensor:
    """Real and imaginary planes with frequency 0 in the middle, ``(refs, 2, 2 n + 1, 2 n + 1)``."""
    size = PADDING * transform.box
    index = torch.arange(-size // 2, size // 2 + 1, device=transform.values.device) % size
    planes = transform.values[:, index[:, None], index]
    return torch.stack((planes.real, planes.imag), 1)


def _grid(psi: Tensor, ky: Tensor, kx: Tensor, box: int) -> Tensor:
    """Rotated frequencies, ``(n, box, box // 2 + 1, 2)``, x before y, as `grid_sample` wants them."""
    cos, sin = ((function(psi) * 2 / box).to(ky.dtype)[:, None, None] for function in (torch.cos, torch.sin))
    return torch.stack((kx * cos - ky * sin, ky * cos + kx * sin), -1)
