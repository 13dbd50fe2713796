"""Poses: Euler angles, their rotation, and views spread over a sphere.

A pose rotates the particle by ``R = Rz(rot) Ry(tilt) Rz(psi)`` (active, column vectors x, y, z) before it is
projected along z; ``rot`` is therefore the rotation in the image plane. RELION's angles of the same view,
whose matrix ``A = Rz(psi)^T Ry(tilt)^T Rz(rot)^T`` must equal R, are ``(-psi, -tilt, -rot)``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def random_angles(count: int, rng: np.random.Generator) -> Array:
    """Uniformly random orientations, ``(count, 3)``: rot, tilt, psi in degrees, to three decimals."""
    rot, psi = rng.uniform(-180, 180, (2, count))
    tilt = np.degrees(np.arccos(rng.uniform(-1, 1, count)))
    return np.round(np.stack((rot, tilt, psi), 1), 3)


def rotation_matrices(angles_deg: Array) -> Array:
    """``Rz(rot) Ry(tilt) Rz(psi)`` for angles ``(..., 3)`` in degrees: ``(..., 3, 3)``."""
    rot, tilt, psi = np.moveaxis(np.deg2rad(angles_deg), -1, 0)
    return _about_z(rot) @ _about_y(tilt) @ _about_z(psi)


def spread_views(count: int, operations: Array, rng: np.random.Generator) -> Array:
    """Poses ``(count, 3)`` whose viewing directions lie far from one another, symmetry taken into account.

    Each next view is, of 400 random ones, the farthest from those taken (its in-plane angle is arbitrary).
    """
    angles = random_angles(400, rng)
    directions = rotation_matrices(angles)[:, 2]  # of the particle, along the beam
    chosen = [0]
    nearest = _closeness(directions, directions[0], operations)
    while len(chosen) < count:
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, _closeness(directions, directions[chosen[-1]], operations))
    return angles[chosen]


def _closeness(directions: Array, one: Array, operations: Array) -> Array:
    """Largest cosine between each direction and any symmetry mate of ``one``."""
    return np.asarray((directions @ (operations @ one).T).max(1))


def _about_z(angle: Array) -> Array:
    c, s, o = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    return np.stack((c, -s, o, s, c, o, o, o, o + 1), -1).reshape(*np.shape(angle), 3, 3)


def _about_y(angle: Array) -> Array:
    c, s, o = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    return np.stack((c, o, s, o, o + 1, o, -s, o, c), -1).reshape(*np.shape(angle), 3, 3)
