"""A micrograph whitened to unit noise on a coarse grid, with the local variance of every window."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.image.ctf import CtfParameters, ctf_half_plane
from cryoflow.compute.image.fourier import lowpass_mask
from cryoflow.compute.image.masks import soft_disc
from cryoflow.compute.image.resize import crop_transform
from cryoflow.compute.score.correlator import Correlator, correlator
from cryoflow.compute.score.prepared import FINEST, Prepared
from cryoflow.compute.score.spectrum import even, quiet_spectrum, radius_map

TILE_DIAMETERS, WINDOW_DIAMETERS = 2.5, 1.25
QUIET = 0.1
"""Quantile over tiles that is taken for ice without particles."""
SOFT_PIXELS = 2.0
MARGIN_A = 20.0
"""Margin around the window of the templates for the spread of the CTF."""


class Level(NamedTuple):
    """Resolution of a scene, in parts of the particle's diameter."""

    finest: float
    pixel: float


COARSE, FINE = Level(6.0, 18.0), Level(FINEST, 22.0)


class Scene(NamedTuple):
    """Image that templates are compared with; sample (i, j) is at ``(i * pixel_y_a, j * pixel_x_a)``."""

    image: Tensor
    """``(h, w)``: the sd of particle-free ice is 1."""
    around: Correlator
    """For kernels of the window's size."""
    total: Tensor
    """Sum over the window around each sample, ``(h, w)``."""
    variance: Tensor
    """Variance within the window, ``(h, w)``."""
    window: Tensor
    """Soft disc, ``(n, n)``, centre at ``n // 2``."""
    filter: Tensor
    """Band times CTF of the templates, ``(n, n // 2 + 1)``."""
    pixel_a: float
    pixel_y_a: float
    pixel_x_a: float
    diameter_a: float


def whitened(
    prepared: Prepared, diameter_a: float, ctf: CtfParameters | None, level: Level, first_peak: bool = False
) -> Scene:
    """Whiten by the spectrum of the quietest tenth of the tiles, low-pass, and resample.

    Parameters
    ----------
    prepared : Prepared
    diameter_a : float
        Particle diameter.
    ctf : CtfParameters or None
        Scalar fields; None: templates are compared as they are.
    level : Level
    first_peak : bool
        CTF 1 up to its first peak.
    """
    image, pixel_a = prepared.image, prepared.pixel_a
    h, w = (even(extent * level.pixel / diameter_a) for extent in prepared.extent_a)
    work_a = diameter_a / level.pixel
    tile = min(even(TILE_DIAMETERS * diameter_a / pixel_a), *image.shape)
    spectrum = quiet_spectrum(image, tile, QUIET)
    radius = radius_map(h, w, work_a, image)
    band = _band(radius, diameter_a / level.finest)
    transform = crop_transform(torch.fft.rfft2(image), image.shape[1], h, w) * (h * w / image.numel())
    white = torch.fft.irfft2(transform * band / spectrum.at(radius * pixel_a).sqrt(), s=(h, w))
    noise = ((_twice(band) * band**2).sum() / image.numel()).sqrt()
    size = even(_template_a(diameter_a) / work_a) + 2
    window = soft_disc(size, WINDOW_DIAMETERS * diameter_a / 2 / work_a, SOFT_PIXELS, image)
    filter_ = _band(radius_map(size, size, work_a, image), diameter_a / level.finest)
    if ctf is not None:
        filter_ = filter_ * ctf_half_plane(ctf, size, size, work_a, first_peak=first_peak).to(image.dtype)
    steps = (prepared.extent_a[0] / h, prepared.extent_a[1] / w)
    return _scene(white / noise, window, filter_, (work_a, *steps, diameter_a))


def _scene(image: Tensor, window: Tensor, filter_: Tensor, sizes: tuple[float, float, float, float]) -> Scene:
    n = len(window)
    around = correlator(image, n)
    total, squares = around.sums(window), correlator(image**2, n).sums(window)
    area = window.sum()
    variance = ((squares - total**2 / area) / (area - 1)).clamp_min(1e-6)
    return Scene(image, around, total, variance, window, filter_, *sizes)


def _template_a(diameter_a: float) -> float:
    return WINDOW_DIAMETERS * diameter_a + 2 * MARGIN_A


def _band(radius: Tensor, finest_a: float) -> Tensor:
    return lowpass_mask(radius, 1 / finest_a, 0.1 / finest_a) * (radius > 0)


def _twice(half_plane: Tensor) -> Tensor:
    weight = torch.full_like(half_plane, 2)
    weight[:, 0] = weight[:, -1] = 1
    return weight
