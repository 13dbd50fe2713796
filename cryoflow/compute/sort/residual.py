"""Residual of a particle after subtraction of its reference, as in RELION's particle sorting."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.image.ctf import CtfParameters, ctf_half_plane
from cryoflow.compute.image.fourier import frequencies, lowpass_mask
from cryoflow.compute.image.rotate import PaddedTransform
from cryoflow.compute.image.rotate_particles import rotated_each
from cryoflow.compute.sort.row_cache import Distinct


class Poses(NamedTuple):
    """Reference and pose of each particle: tensors ``(n,)``."""

    reference: Tensor
    """Index from 0, int64."""
    psi_deg: Tensor
    """In-plane angle, float64."""
    origin_y: Tensor
    """Shift in pixels that brings the particle onto its reference."""
    origin_x: Tensor


class CtfOptions(NamedTuple):
    """CTF of each particle (fields ``(n,)``), and how it is applied to the references."""

    parameters: CtfParameters
    pixel_size_a: float
    first_peak: bool = False


def shift_integer(images: Tensor, dy: Tensor, dx: Tensor) -> Tensor:
    """Move ``(n, h, w)`` images by whole pixels, content at p going to p + d; zeros come in at the edges.

    ``dy`` and ``dx`` are rounded first, halves away from zero.
    """
    dy, dx = (torch.sign(d) * (d.abs() + 0.5).floor() for d in (dy, dx))
    moving = torch.nonzero((dy != 0) | (dx != 0)).flatten().tolist()
    out = images.clone() if moving else images
    for index in moving:
        out[index] = _moved(images[index], int(dy[index]), int(dx[index]))
    return out


def _moved(image: Tensor, dy: int, dx: int) -> Tensor:
    height, width = image.shape
    out = torch.zeros_like(image)
    rows = slice(max(dy, 0), max(height + min(dy, 0), 0))
    columns = slice(max(dx, 0), max(width + min(dx, 0), 0))
    part = image[max(-dy, 0) : max(height - max(dy, 0), 0), max(-dx, 0) : max(width - max(dx, 0), 0)]
    out[rows, columns] = part
    return out


class MatchedReferences:
    """Transform of each particle's reference at its angle, times its CTF.

    Indexed by a slice of particles: complex ``(n, box, box // 2 + 1)``, image centre at ``box // 2``,
    unnormalised.

    Parameters
    ----------
    references : PaddedTransform
    poses : Poses
        Of all particles.
    ctf : CtfOptions or None
        Of all particles; None for references that are not CTF corrected.
    """

    def __init__(self, references: PaddedTransform, poses: Poses, ctf: CtfOptions | None) -> None:
        box, values = references.box, references.values
        grid = torch.arange(box, device=values.device)[:, None] + torch.arange(
            box // 2 + 1, device=values.device
        )
        centred = 1 - 2 * (grid % 2).to(values.real.dtype)  # moves the origin of an even box to its centre

        def rotated(rows: Tensor) -> Tensor:
            return rotated_each(references, rows[:, 0].long(), rows[:, 1]) * centred

        size = grid.numel() * values.element_size()
        self._rotated = Distinct(rotated, torch.stack((poses.reference.double(), poses.psi_deg), 1), size)
        self._ctf = None if ctf is None else _ctf_images(ctf, box, values.real.dtype)

    def __getitem__(self, some: slice) -> Tensor:
        """Transforms of some of the particles."""
        rotated = self._rotated[some]
        return rotated if self._ctf is None else rotated * self._ctf[some]


def _ctf_images(ctf: CtfOptions, box: int, dtype: torch.dtype) -> Distinct:
    def images(rows: Tensor) -> Tensor:
        parameters = CtfParameters(*rows.T)
        return ctf_half_plane(parameters, box, box, ctf.pixel_size_a, first_peak=ctf.first_peak).to(dtype)

    return Distinct(images, torch.stack(tuple(ctf.parameters), 1), box * (box // 2 + 1) * dtype.itemsize)


def residuals(particles: Tensor, matched: Tensor, origin_y: Tensor, origin_x: Tensor) -> Tensor:
    """Low-passed particles minus their references, ``(n, box, box)``.

    Parameters
    ----------
    particles : Tensor
        ``(n, box, box)``, centre ``box // 2``, box even.
    matched : Tensor
        From `MatchedReferences`, grey values as the particles' (no scale is fitted).
    origin_y, origin_x : Tensor
        Particles are moved by these, rounded to whole pixels.
    """
    box = particles.shape[-1]
    moved = shift_integer(particles, origin_y, origin_x)
    band = _band(box, particles.dtype, particles.device)
    out: Tensor = torch.fft.irfft2(torch.fft.rfft2(moved) * band - matched, s=(box, box))
    return out


@cache
def _band(box: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    radius = frequencies(box, box, device, torch.float64).radius
    return lowpass_mask(radius, 0.5, 2 / box).to(dtype)
