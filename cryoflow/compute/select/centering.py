"""Move images so that their centre of mass lies on the centre of the box."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.image.masks import positions


class Offset(NamedTuple):
    """Position relative to the centre ``n // 2``, in pixels, each ``(n,)``."""

    y: Tensor
    x: Tensor


def centre_of_mass(images: Tensor) -> Offset:
    """Centre of mass of the positive density of ``(n, h, w)`` images; 0 where nothing is positive."""
    height, width = images.shape[-2:]
    mass = images.clamp(min=0).double()
    total = mass.sum((-2, -1))
    total = torch.where(total > 0, total, 1.0)
    y, x = (positions(size, images.device) for size in (height, width))
    return Offset((mass.sum(-1) * y).sum(-1) / total, (mass.sum(-2) * x).sum(-1) / total)


def shift_bilinear(images: Tensor, dy: Tensor, dx: Tensor) -> Tensor:
    """Move ``(n, h, w)`` images by ``(dy, dx)`` pixels, content at p going to p + d, periodic, bilinear.

    Bilinear keeps a flat border exactly flat, which the automatic mask of picking and sorting depends on; a
    Fourier shift would not.
    """
    height, width = images.shape[-2:]
    y = torch.arange(height, device=images.device) - dy.double()[:, None]
    x = torch.arange(width, device=images.device) - dx.double()[:, None]
    fy, fx = ((p - p.floor()).to(images.dtype) for p in (y, x))
    rows, columns = y.floor().long(), x.floor().long()
    batch = torch.arange(len(images), device=images.device)[:, None, None]

    def at(row: int, column: int) -> Tensor:
        return images[batch, ((rows + row) % height)[:, :, None], ((columns + column) % width)[:, None, :]]

    upper = at(0, 0) * (1 - fx)[:, None, :] + at(0, 1) * fx[:, None, :]
    lower = at(1, 0) * (1 - fx)[:, None, :] + at(1, 1) * fx[:, None, :]
    return upper * (1 - fy)[:, :, None] + lower * fy[:, :, None]


def centre(images: Tensor) -> Tensor:
    """Move each image's centre of mass of positive density onto its centre ``n // 2``."""
    offset = centre_of_mass(images)
    return shift_bilinear(images, -offset.y, -offset.x)
