"""The objects of one micrograph: their positions, rotations and projected density."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cryoflow.seeds import seed_for
from cryoflow.simulate.contaminants import add_contaminant
from cryoflow.simulate.model import half_of
from cryoflow.simulate.optics import Optics, random_optics
from cryoflow.simulate.options import SimulateOptions
from cryoflow.simulate.placement import CarbonEdge, Ground, place, random_edge
from cryoflow.simulate.poses import random_angles, rotation_matrices
from cryoflow.simulate.projection import add_projection
from cryoflow.simulate.sample import Sample

Array = npt.NDArray[np.float64]

PARTICLE, BROKEN, CONTAMINANT = 1, 2, 3


class Scene(NamedTuple):
    """Objects on one micrograph."""

    name: str
    """Name of the micrograph, e.g. ``mic001``; everything below follows from it and the seed."""
    optics: Optics
    edge: CarbonEdge | None
    centres_yx: Array
    """``(n, 2)`` pixels."""
    kinds: npt.NDArray[np.int64]
    """``(n,)``: 1 particle, 2 broken particle, 3 contaminant."""
    angles_deg: Array
    """``(n, 3)``: rot, tilt, psi as in `cryoflow.simulate.poses`; zeros for contaminants."""


def random_scene(name: str, options: SimulateOptions) -> Scene:
    """Draw the objects of a micrograph."""
    rng = np.random.default_rng(seed_for(options.seed, "simulate", "scene", name))
    optics = random_optics(options, rng)
    edge = random_edge(options.size, rng) if rng.random() < options.carbon else None
    counts = (options.particles, options.broken, options.contaminants)
    ground = Ground(options.size, options.box / 2, options.spacing / options.pixel_size)
    particles = place(sum(counts[:2]), ground._replace(edge=edge), np.empty((0, 2)), rng)
    others = place(counts[2], ground, particles, rng)
    kinds = np.repeat([PARTICLE, BROKEN, CONTAMINANT], counts)
    angles = random_angles(len(kinds), rng)
    angles[kinds == CONTAMINANT] = 0
    return Scene(name, optics, edge, np.concatenate((particles, others)), kinds, angles)


def draw_density(scene: Scene, sample: Sample, size: tuple[int, int], border: tuple[int, int]) -> Array:
    """Projected density of all objects and of the carbon's grain.

    Parameters
    ----------
    scene : Scene
        What lies where.
    sample : Sample
        The particle and its scale.
    size : (int, int)
        Height and width of the canvas in pixels.
    border : (int, int)
        Rows and columns of the canvas before the micrograph's pixel (0, 0).

    Returns
    -------
    ndarray
        ``(h, w)``, in sds of the white noise before the CTF.
    """
    options, (scale, peak) = sample.options, sample.calibration
    rng = np.random.default_rng(seed_for(options.seed, "simulate", "density", scene.name))
    canvas = np.zeros(size)
    rotations = rotation_matrices(scene.angles_deg)
    for kind, centre, rotation in zip(scene.kinds, scene.centres_yx + border, rotations, strict=True):
        if kind == CONTAMINANT:
            add_contaminant(canvas, centre, options.diameter, options.pixel_size, peak, rng)
            continue
        model = half_of(sample.model, rng.normal(size=3)) if kind == BROKEN else sample.model
        add_projection(canvas, model, rotation, centre, options.pixel_size, scale)
    return canvas
