"""Data shared by all micrographs of a project: the particle and the strength of its contrast."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cryoflow.compute.projection.point_groups import symmetry_rotations
from cryoflow.seeds import seed_for
from cryoflow.simulate.model import GaussianModel, build_model
from cryoflow.simulate.optics import Optics, image_contrast
from cryoflow.simulate.options import SimulateOptions
from cryoflow.simulate.poses import random_angles, rotation_matrices, spread_views
from cryoflow.simulate.projection import projection

Array = npt.NDArray[np.float64]

SLOW_SD, GRADIENT = 0.1, (0.2, 0.8)
"""Slowly varying background, and range of the ice gradient across a micrograph, in sds of the white noise."""

BACKGROUND_SD = float(np.sqrt(1 + SLOW_SD**2 + np.mean(GRADIENT) ** 2 / 12))
"""Sd of a micrograph without carbon, in sds of the white noise."""

PEDESTAL = 1e-3
"""Minimum value inside a reference's mask, in units of its peak: an automatic mask can then be found."""


class Calibration(NamedTuple):
    """Strength of the particle that gives the requested signal-to-noise ratio."""

    scale: float
    """Factor on `projection`; the contrast is then in sds of the white noise."""
    peak: float
    """Typical largest value of a scaled projection."""


class Sample:
    """The particle of a project, from its options alone.

    Attributes
    ----------
    options : SimulateOptions
        Options of the project.
    """

    def __init__(self, options: SimulateOptions) -> None:
        self.options = options

    @cached_property
    def operations(self) -> Array:
        """Rotations of the point group, ``(n, 3, 3)``."""
        return symmetry_rotations(self.options.point_group).numpy()

    @cached_property
    def model(self) -> GaussianModel:
        """The particle."""
        o = self.options
        return build_model(o.model, o.point_group, o.diameter, self._rng("model"))

    @cached_property
    def calibration(self) -> Calibration:
        """Scale and peak from 16 random views at the middle of the defocus range."""
        o, box = self.options, 2 * self.options.box
        views = self._project(random_angles(16, self._rng("calibration")), box, o.pixel_size)
        middle = Optics(sum(o.defocus) / 2, sum(o.defocus) / 2, 0.0)
        disc = centred_radius(box) * o.pixel_size <= o.diameter / 2
        variances = [image_contrast(view, middle, o)[disc].var() for view in views]
        scale = float(np.sqrt(o.snr / np.mean(variances)))
        return Calibration(scale, scale * float(views.max((1, 2)).mean()))

    def references(self) -> Array:
        """Picking references, ``(views, box, box)`` at twice the micrographs' pixel size.

        CTF-free, white, zero outside a disc of the particle's diameter. Greyscale: that of a particle in a
        micrograph of sd 1 that was binned two-fold and brought back to sd 1 of (white) noise, as class
        averages of extracted and normalised particles have it.
        """
        o = self.options
        views = spread_views(o.references, self.operations, self._rng("views"))
        images = self._project(views, o.reference_box, 2 * o.pixel_size)
        images *= self.calibration.scale * 2 / BACKGROUND_SD
        disc = centred_radius(o.reference_box) * 2 * o.pixel_size <= o.diameter / 2
        return np.where(disc, np.maximum(images, PEDESTAL * images.max((1, 2), keepdims=True)), 0.0)

    def _project(self, angles_deg: Array, box: int, pixel_size_a: float) -> Array:
        return np.stack([projection(self.model, r, box, pixel_size_a) for r in rotation_matrices(angles_deg)])

    def _rng(self, name: str) -> np.random.Generator:
        return np.random.default_rng(seed_for(self.options.seed, "simulate", name))


def centred_radius(box: int) -> Array:
    """Distance of every pixel from ``box // 2``, pixels, ``(box, box)``."""
    offset = np.arange(box) - box // 2
    return np.hypot(offset[:, None], offset[None, :])
