"""Correlation with rotated templates, and its ratio to the local standard deviation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.image.rotate import PaddedTransform, padded_transform, rotation_samples, sample
from cryoflow.compute.score.scene import Scene

PSI_STEP_DEG = 10.0


class Match(NamedTuple):
    """The best of all templates around each sample; each ``(h, w)``."""

    z: Tensor
    """Correlation with a template of unit norm, in sds of the noise."""
    ncc: Tensor
    """z over the local sd: the normalised local correlation times the root of the window's area."""
    mean: Tensor
    """Mean and sd of z over the angles of the best reference."""
    sd: Tensor
    amplitude: Tensor
    """z over the template's norm before normalisation: how strong the particle is."""


class Templates(NamedTuple):
    """Templates of one angle, and what their norms were."""

    images: Tensor
    """``(refs, n, n)``: zero-mean in the window, unit norm, 0 outside it."""
    norms: Tensor


def search(scene: Scene, references: Tensor, pixel_a: float) -> Match:
    """Compare a scene with every reference at angles 10 degrees apart.

    Parameters
    ----------
    scene : Scene
    references : Tensor
        ``(refs, n, n)``, n even, particles bright.
    pixel_a : float
        Pixel size of the references, A.
    """
    transform = padded_transform(references.to(scene.image.dtype))
    angles = torch.arange(0, 180, PSI_STEP_DEG, dtype=torch.float64, device=scene.image.device)
    best = scene.image.new_full((len(references), *scene.image.shape), -torch.inf)
    first, second = torch.zeros_like(best), torch.zeros_like(best)
    norms = torch.zeros(len(references), dtype=best.dtype, device=best.device)
    for psi in angles:
        images, norm = templates(scene, transform, psi, pixel_a)
        for z in scene.around.opposite_sums(images):
            torch.maximum(best, z, out=best)
            first += z
            second.addcmul_(z, z)
        norms += norm
    count = 2 * len(angles)
    return _of_best(scene, best, first / count, second / count, norms / len(angles))


def _of_best(scene: Scene, best: Tensor, first: Tensor, second: Tensor, norms: Tensor) -> Match:
    z, which = best.max(0)
    mean, square = (maps.gather(0, which[None])[0] for maps in (first, second))
    sd = (square - mean**2).clamp_min(1e-6).sqrt()
    return Match(z, z / scene.variance.sqrt(), mean, sd, z / norms[which])


def templates(scene: Scene, transform: PaddedTransform, psi_deg: Tensor, pixel_a: float) -> Templates:
    """References at one angle as the scene would show them: filtered, within the window, norm 1."""
    n, box, window = scene.window.shape[0], transform.box, scene.window
    scale = pixel_a / scene.pixel_a * box
    device = window.device
    ky = torch.fft.fftfreq(n, dtype=torch.float64, device=device)[:, None] * scale
    kx = torch.fft.rfftfreq(n, dtype=torch.float64, device=device)[None, :] * scale
    inside = torch.hypot(ky, kx) < transform.max_shell - 1
    points = (k.expand(inside.shape)[inside] for k in (ky, kx))
    values = sample(transform, rotation_samples(box, psi_deg[None], *points))[:, 0]
    half = values.new_zeros(len(values), *inside.shape)
    half[:, inside] = values * scene.filter[inside]
    images = torch.roll(torch.fft.irfft2(half, s=(n, n)), (n // 2, n // 2), (-2, -1))
    images = images - (images * window).sum((-2, -1), keepdim=True) / window.sum()
    norms = (images**2 * window).sum((-2, -1)).sqrt().clamp_min(torch.finfo(images.dtype).tiny)
    return Templates(images * window / norms[:, None, None], norms)
