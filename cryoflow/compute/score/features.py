"""Features that distinguish particles from noise, broken particles and contaminants."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from cryoflow.compute.image.fourier import highpass_mask, lowpass_mask
from cryoflow.compute.image.masks import distance_map
from cryoflow.compute.score.picks import best_near
from cryoflow.compute.score.prepared import Prepared
from cryoflow.compute.score.scene import Scene
from cryoflow.compute.score.search import Match
from cryoflow.compute.score.spectrum import blurred, radius_map

FINE_REACH = 0.1
RING = 0.15
"""Fraction of the diameter: how far the fine peak may lie from the coarse one, and the width of the rings."""


class Features(NamedTuple):
    """Evidence at the best coarse correlation near each position; each ``(n,)`` float64."""

    ncc: Tensor
    """Local correlation, coarse and fine."""
    ncc_fine: Tensor
    log_variance: Tensor
    """Log of the local variance, coarse and fine."""
    log_variance_fine: Tensor
    log_sd_middle: Tensor
    """Log of the local sd between D/3 and D/6, over the micrograph's median."""
    maximum: Tensor
    """Of the coarse image in the disc of the particle's diameter, as the next one and the skewness; less the
    mean of the window, as the rings' means: next to carbon the background is uneven."""
    minimum: Tensor
    skewness: Tensor
    ring_mean_0: Tensor
    """Mean and sd up to 0.15 diameters from the centre, and from there to 0.3."""
    ring_mean_1: Tensor
    ring_sd_0: Tensor
    ring_sd_1: Tensor
    z_mean: Tensor
    """Mean and sd over the angles of z."""
    z_sd: Tensor
    log_amplitude: Tensor
    log_residual: Tensor
    """Log of the local variance that the template does not explain."""
    kurtosis: Tensor
    z: Tensor
    """Correlation in sds of the noise, coarse and fine."""
    z_fine: Tensor


MIXTURE = Features._fields[:12]
"""Features whose densities distinguish the kinds; the logistic function uses all."""


class Measured(NamedTuple):
    """Features and where they were taken, A from the centre of the first pixel."""

    features: Features
    y_a: Tensor
    x_a: Tensor


class View(NamedTuple):
    """A scene and the result of a search in it."""

    scene: Scene
    match: Match


def measure(
    coarse: View, fine: View, middle: Tensor, position_a: tuple[Tensor, Tensor], reach_a: float
) -> Measured:
    """Features of particles.

    Parameters
    ----------
    coarse, fine : View
        The same micrograph at two resolutions.
    middle : Tensor
        `middle_band` on the coarse grid.
    position_a : (Tensor, Tensor)
        y and x of the particles in A, float64 ``(n,)``.
    reach_a : float
        The best coarse correlation within this distance is taken for the particle.
    """
    scene, match = coarse
    y, x = position_a[0] / scene.pixel_y_a, position_a[1] / scene.pixel_x_a
    iy, ix, _ = best_near(match.ncc, y, x, max(reach_a / scene.pixel_a, 0.8))
    y_a, x_a = iy.double() * scene.pixel_y_a, ix.double() * scene.pixel_x_a
    area = scene.window.sum()
    variance, ncc = scene.variance[iy, ix], match.ncc[iy, ix]
    found = {
        "ncc": ncc,
        "log_variance": variance.log(),
        "log_sd_middle": middle[iy, ix],
        "z_mean": match.mean[iy, ix],
        "z_sd": match.sd[iy, ix],
        "log_amplitude": match.amplitude[iy, ix].clamp_min(1e-3).log(),
        "log_residual": (variance * (1 - ncc**2 / area)).clamp_min(1e-3).log(),
        "z": match.z[iy, ix],
        **_fine(fine, y_a, x_a),
        **_shape(scene, iy, ix),
    }
    numbers = {name: torch.nan_to_num(value.double()) for name, value in found.items()}
    return Measured(Features(**numbers), y_a, x_a)


def _fine(view: View, y_a: Tensor, x_a: Tensor) -> dict[str, Tensor]:
    scene, match = view
    reach = FINE_REACH * scene.diameter_a / scene.pixel_a
    iy, ix, _ = best_near(match.ncc, y_a / scene.pixel_y_a, x_a / scene.pixel_x_a, reach)
    log_variance = scene.variance[iy, ix].log()
    return {"ncc_fine": match.ncc[iy, ix], "z_fine": match.z[iy, ix], "log_variance_fine": log_variance}


def _shape(scene: Scene, iy: Tensor, ix: Tensor) -> dict[str, Tensor]:
    size = 2 * int(0.5 * scene.diameter_a / scene.pixel_a) + 4
    distance = distance_map(size, scene.image.device, scene.image.dtype) * scene.pixel_a / scene.diameter_a
    level = scene.total[iy, ix] / scene.window.sum()
    boxes = _boxes(scene.image, iy, ix, size) - level[:, None, None]
    disc = boxes[:, distance < 0.5]
    centred = disc - disc.mean(1, keepdim=True)
    sd = _sd(centred).clamp_min(1e-6)
    rings = [boxes[:, (distance >= RING * i) & (distance < RING * (i + 1))] for i in (0, 1)]
    moments = {"skewness": (centred**3).mean(1) / sd**3, "kurtosis": (centred**4).mean(1) / sd**4}
    extremes = {"maximum": disc.amax(1), "minimum": disc.amin(1)}
    means = {f"ring_mean_{i}": ring.mean(1) for i, ring in enumerate(rings)}
    return moments | extremes | means | {f"ring_sd_{i}": _sd(ring) for i, ring in enumerate(rings)}


def _sd(values: Tensor) -> Tensor:
    """Standard deviation of each row; torch warns if there are none."""
    return values.std(1) if len(values) else values.new_zeros(0)


def _boxes(image: Tensor, y: Tensor, x: Tensor, size: int) -> Tensor:
    """Boxes around samples ``(n, size, size)``, centre at ``size // 2``; edge values beyond the edges."""
    padded = pad(image[None, None], (size,) * 4, mode="replicate")[0, 0]
    views = padded.unfold(0, size, 1).unfold(1, size, 1)
    return views[y + size - size // 2, x + size - size // 2]


def middle_band(prepared: Prepared, scene: Scene) -> Tensor:
    """Log of the local sd of the band between D/3 and D/6 over its median, at the scene's samples."""
    image, d = prepared.image, scene.diameter_a
    h, w = image.shape
    radius = radius_map(h, w, prepared.pixel_a, image)
    band = lowpass_mask(radius, 6 / d, 0.6 / d) * highpass_mask(radius, 3 / d, 0.3 / d)
    part = torch.fft.irfft2(torch.fft.rfft2(image) * band, s=(h, w))
    power = blurred(part**2, d / 3 / prepared.pixel_a, 3.0)
    small = interpolate(power[None, None], tuple(scene.image.shape), mode="bilinear")[0, 0]
    return (small / small.median()).clamp_min(1e-6).log() / 2
