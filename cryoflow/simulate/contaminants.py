"""Contaminants: ice balls and filaments."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cryoflow.simulate.model import GaussianModel
from cryoflow.simulate.projection import add_projection

Array = npt.NDArray[np.float64]


def add_contaminant(
    canvas: Array,
    centre_yx: Array,
    diameter_a: float,
    pixel_size_a: float,
    peak: float,
    rng: np.random.Generator,
) -> None:
    """Add an ice ball or, as often, a filament to an image of projected density, in place.

    Parameters
    ----------
    canvas : ndarray
        ``(h, w)``.
    centre_yx : ndarray
        Centre in pixels.
    diameter_a : float
        The particle's diameter, to which sizes are relative.
    pixel_size_a : float
        A per pixel.
    peak : float
        Typical largest value of a particle's projection; contaminants reach 1 to 4 times that.
    rng : Generator
        Random generator for kind, size, direction and strength.
    """
    strength = peak * np.exp(rng.uniform(0.0, np.log(4)))
    if rng.random() < 0.5:
        _add_ball(canvas, centre_yx, rng.uniform(0.2, 0.45) * diameter_a / pixel_size_a, strength)
    else:
        filament, height = _filament(diameter_a, rng)
        add_projection(canvas, filament, np.eye(3), centre_yx, pixel_size_a, strength / height)


def _add_ball(canvas: Array, centre: Array, radius: float, strength: float) -> None:
    """Add the projection of a solid sphere."""
    low = np.maximum(np.floor(centre - radius).astype(int), 0)
    high = np.ceil(centre + radius).astype(int) + 1
    y, x = np.ogrid[low[0] : min(high[0], canvas.shape[0]), low[1] : min(high[1], canvas.shape[1])]
    depth = 1 - ((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / radius**2
    canvas[low[0] : high[0], low[1] : high[1]] += strength * np.sqrt(np.clip(depth, 0, None))


def _filament(diameter_a: float, rng: np.random.Generator) -> tuple[GaussianModel, float]:
    """A slightly bent thread in the image plane, and the height of its ridge in projection."""
    length, sigma = rng.uniform(1.0, 1.8) * diameter_a, 0.06 * diameter_a
    bend, heading = rng.uniform(-0.8, 0.8), rng.uniform(0, np.pi)
    spacing = sigma / 2
    along = np.arange(-length / 2, length / 2, spacing)
    angle = heading + bend * along / length
    steps = spacing * np.stack((np.cos(angle), np.sin(angle), np.zeros_like(angle)), 1)
    centres = steps.cumsum(0)
    model = GaussianModel(centres - centres.mean(0), np.ones(len(centres)), sigma)
    return model, 1 / (np.sqrt(2 * np.pi) * sigma * spacing)
