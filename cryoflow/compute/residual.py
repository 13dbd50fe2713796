"""What is left of a particle after its reference is taken away, as RELION's particle sorting looks at it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.ctf import CtfParameters, ctf_half_plane
from cryoflow.compute.fourier import frequencies, lowpass_mask
from cryoflow.compute.rotate import PaddedTransform
from cryoflow.compute.rotate_each import rotated_each


class Poses(NamedTuple):
    """Which reference each particle matches and how: tensors ``(n,)``."""

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
    out = images.clone()
    for index in torch.nonzero((dy != 0) | (dx != 0)).flatten().tolist():
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


def matched_references(references: PaddedTransform, poses: Poses, ctf: CtfOptions | None) -> Tensor:
    """Transform of each particle's reference at its angle, times its CTF.

    Returns
    -------
    Tensor
        Complex ``(n, box, box // 2 + 1)``, image centre at the origin, unnormalised.
    """
    out = rotated_each(references, poses.reference, poses.psi_deg)
    return out if ctf is None else out * _ctf_images(ctf, references.box, out)


def _ctf_images(ctf: CtfOptions, box: int, like: Tensor) -> Tensor:
    """CTF of every particle; particles of one micrograph mostly share it, so each is computed once."""
    distinct, which = torch.unique(torch.stack(tuple(ctf.parameters)), dim=1, return_inverse=True)
    values = ctf_half_plane(CtfParameters(*distinct), box, box, ctf.pixel_size_a, first_peak=ctf.first_peak)
    return values.to(like.real.dtype)[which]


def residuals(particles: Tensor, references: PaddedTransform, poses: Poses, ctf: CtfOptions | None) -> Tensor:
    """Low-passed particles minus their references, ``(n, box, box)``.

    Parameters
    ----------
    particles : Tensor
        ``(n, box, box)``, centre ``box // 2``; moved by their rounded origins here.
    references : PaddedTransform
        Of the same box, grey values as the particles' (no scale is fitted).
    poses : Poses
        Reference, angle and origin of each particle.
    ctf : CtfOptions or None
        None for references that are not CTF corrected.
    """
    box = references.box
    moved = shift_integer(particles, poses.origin_y, poses.origin_x)
    radius = frequencies(box, box, particles.device, torch.float64).radius
    transform = torch.fft.rfft2(moved) * lowpass_mask(radius, 0.5, 2 / box).to(particles.dtype)
    grid = torch.arange(box, device=particles.device)[:, None] + torch.arange(
        box // 2 + 1, device=particles.device
    )
    centred = 1 - 2 * (grid % 2).to(particles.dtype)  # moves the origin of an even box to its centre
    difference = transform - centred * matched_references(references, poses, ctf)
    out: Tensor = torch.fft.irfft2(difference, s=(box, box))
    return out
