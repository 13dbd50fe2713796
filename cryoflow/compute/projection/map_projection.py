"""Projections of a map by the central-slice theorem, as RELION makes them for picking.

The map is divided by the gridding function ``sinc^2(r / 2n)``; its transform, two-fold oversampled and
cut at the low-pass, is sampled trilinearly on the slice at right angles to each viewing direction.
"""

import math

import torch
from torch import Tensor

from cryoflow.compute.projection.directions import Directions

PADDING = 2


def project(volume: Tensor, directions: Directions, pixel_size_a: float, lowpass_a: float | None) -> Tensor:
    """Project a map along directions, at in-plane angle 0.

    Parameters
    ----------
    volume : Tensor
        ``(n, n, n)``: z, y, x; n even, centre at ``n // 2``.
    directions : Directions
    pixel_size_a : float
        A per pixel.
    lowpass_a : float or None
        Resolution at which projections are cut, A.

    Returns
    -------
    Tensor
        ``(directions, n, n)``: sums over pixels along the line of sight, centre at ``n // 2``.
    """
    box = volume.shape[0]
    last = box // 2 if lowpass_a is None else min(math.ceil(box * pixel_size_a / lowpass_a), box // 2)
    oversampled = _oversampled(volume, last)
    y = torch.fft.fftfreq(box, 1 / box, dtype=torch.float64, device=volume.device)[:, None]
    x = torch.arange(box // 2 + 1, dtype=torch.float64, device=volume.device)
    inside = y**2 + x**2 <= last**2
    images = [_slice(oversampled, axes, y, x, last) * inside for axes in _axes(directions).to(volume.device)]
    centred = torch.fft.irfft2(torch.stack(images), s=(box, box))
    return torch.roll(centred, (box // 2, box // 2), (-2, -1))


def _oversampled(volume: Tensor, last: int) -> Tensor:
    """Transform at frequencies ``m / 2n`` up to a little beyond shell ``last``, origin in the middle.

    Real ``(1, 2, m, m, m)``: real and imaginary part; z, y, x.
    """
    box = volume.shape[0]
    offset = torch.arange(box, dtype=torch.float64, device=volume.device) - box // 2
    squared = offset**2
    radius = torch.sqrt(squared[:, None, None] + squared[:, None] + squared)
    corrected = volume / (torch.sinc(radius / (PADDING * box)) ** 2).to(volume.dtype)
    reach = PADDING * last + 1
    number = torch.arange(-reach, reach + 1, dtype=torch.float64, device=volume.device)
    angle = -2 * math.pi * number[:, None] * offset / (PADDING * box)
    basis = torch.polar(torch.ones_like(angle), angle)
    basis = basis.to(torch.complex128 if volume.dtype == torch.float64 else torch.complex64)
    along_x = corrected.to(basis.dtype) @ basis.mT
    along_y = basis @ along_x
    values = torch.tensordot(basis, along_y, dims=([1], [0]))
    shells = torch.sqrt(number[:, None, None] ** 2 + number[:, None] ** 2 + number**2)
    values = values.masked_fill(shells > PADDING * last, 0)
    return torch.stack((values.real, values.imag))[None]


def _slice(oversampled: Tensor, axes: Tensor, y: Tensor, x: Tensor, last: int) -> Tensor:
    """Half-plane ``(n, n // 2 + 1)`` through the origin, spanned by the image's x and y axis."""
    where = (x[..., None] * axes[0] + y[..., None] * axes[1]) * PADDING / (PADDING * last + 1)
    sampled = torch.nn.functional.grid_sample(
        oversampled, where[None, None].to(oversampled.dtype), align_corners=True
    )
    return torch.complex(sampled[0, 0, 0], sampled[0, 1, 0])


def _axes(directions: Directions) -> Tensor:
    """The image's x and y axis in the map's ``(x, y, z)``: rows of the Euler matrix, ``(n, 2, 3)``."""
    rot, tilt = torch.deg2rad(directions.rot), torch.deg2rad(directions.tilt)
    zero = torch.zeros_like(rot)
    across = torch.stack(
        (torch.cos(tilt) * torch.cos(rot), torch.cos(tilt) * torch.sin(rot), -torch.sin(tilt))
    )
    up = torch.stack((-torch.sin(rot), torch.cos(rot), zero))
    return torch.stack((across, up)).permute(2, 0, 1)
