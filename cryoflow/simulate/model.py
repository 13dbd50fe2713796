"""Particles as sums of 3D Gaussians: every projection, at any pose and pixel size, is then exact."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from cryoflow.compute.projection.point_groups import symmetry_rotations

Array = npt.NDArray[np.float64]

GAUSSIANS, CANDIDATES = 480, 6
SIGMA = 0.03
"""Width of every Gaussian in particle diameters: detail down to about a tenth of the particle."""


class GaussianModel(NamedTuple):
    """``density(r) = sum_i mass_i / (2 pi sigma^2)^1.5 exp(-|r - centre_i|^2 / (2 sigma^2))``."""

    centres_a: Array
    """``(n, 3)``: x, y, z in A; the centroid is the origin."""
    mass: Array
    """``(n,)``."""
    sigma_a: float
    """Common width in A."""


class _Lobe(NamedTuple):
    """A domain of the asymmetric unit, in particle radii."""

    centre: tuple[float, float, float]
    semi_axes: tuple[float, float, float]
    tilt_deg: float = 0.0
    mass: float = 1.0


_LOBES: dict[str, tuple[_Lobe, ...]] = {
    "tetramer": (
        _Lobe((0.42, 0.16, 0.15), (0.52, 0.24, 0.24), 25),
        _Lobe((0.14, 0.22, 0.40), (0.22, 0.22, 0.24), 0, 0.4),
    ),
    "barrel": (
        _Lobe((0.50, 0.0, 0.20), (0.22, 0.24, 0.20)),
        _Lobe((0.48, 0.12, 0.62), (0.24, 0.22, 0.22), 20),
    ),
    "ring": (
        _Lobe((0.68, 0.0, 0.0), (0.24, 0.28, 0.30), 30),
        _Lobe((0.42, 0.10, 0.36), (0.18, 0.16, 0.22), 0, 0.6),
    ),
    "irregular": (
        _Lobe((0.0, 0.0, 0.0), (0.42, 0.34, 0.30), 20, 1.4),
        _Lobe((0.60, 0.15, 0.05), (0.34, 0.20, 0.20), -30),
        _Lobe((-0.25, 0.58, 0.10), (0.20, 0.34, 0.22), 15),
        _Lobe((-0.30, -0.35, 0.50), (0.22, 0.22, 0.36), 40, 0.8),
    ),
}


def build_model(preset: str, point_group: str, diameter_a: float, rng: np.random.Generator) -> GaussianModel:
    """Make a particle of a preset shape.

    Parameters
    ----------
    preset : str
        ``tetramer``, ``barrel``, ``ring`` or ``irregular``.
    point_group : str
        As for `symmetry_rotations`; the preset's lobes are its asymmetric unit.
    diameter_a : float
        All centres lie within half of this, less two widths, of the centroid.
    rng : Generator
        Random generator for the fine structure of the lobes.
    """
    operations = symmetry_rotations(point_group).numpy()
    lobes = _LOBES[preset]
    share = max(8, GAUSSIANS // (len(operations) * len(lobes)))
    unit = np.concatenate([_fill(lobe, share, rng) for lobe in lobes])
    mass = np.repeat([lobe.mass for lobe in lobes], share) * rng.uniform(0.5, 1.5, len(unit))
    centres = np.einsum("oij,nj->oni", operations, unit).reshape(-1, 3)
    masses = np.tile(mass, len(operations))
    centres -= (masses[:, None] * centres).sum(0) / masses.sum()
    sigma = SIGMA * diameter_a
    centres *= (diameter_a / 2 - 2 * sigma) / np.linalg.norm(centres, axis=1).max()
    return GaussianModel(centres, masses / masses.sum(), sigma)


def _fill(lobe: _Lobe, count: int, rng: np.random.Generator) -> Array:
    """Fill an ellipsoid evenly: each point is the candidate farthest from all points so far."""
    points = np.empty((count, 3))
    for k in range(count):
        candidates = rng.normal(size=(CANDIDATES, 3))
        candidates *= (rng.random(CANDIDATES) ** (1 / 3) / np.linalg.norm(candidates, axis=1))[:, None]
        gaps = np.linalg.norm(candidates[:, None] - points[None, :k], axis=2)
        points[k] = candidates[gaps.min(1, initial=np.inf).argmax()]
    turn = Rotation.from_euler("ZY", (lobe.tilt_deg, lobe.tilt_deg / 2), degrees=True).as_matrix()
    return np.asarray(points * lobe.semi_axes @ turn.T + lobe.centre)


def half_of(model: GaussianModel, normal: Array) -> GaussianModel:
    """The part of a particle on one side of a plane through its centre: a broken particle."""
    keep = model.centres_a @ normal > 0
    return GaussianModel(model.centres_a[keep], model.mass[keep], model.sigma_a)
