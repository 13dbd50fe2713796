"""Point groups as rotation matrices, an axis of symmetry along z as in RELION."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from cryoflow.errors import CryoflowError

Array = npt.NDArray[np.float64]

_GOLDEN = (1 + 5**0.5) / 2
_CUBIC_AXES: dict[str, tuple[tuple[int, tuple[float, float, float]], ...]] = {
    "T": ((2, (0, 0, 1)), (3, (1, 1, 1))),
    "O": ((4, (0, 0, 1)), (3, (1, 1, 1))),
    "I": ((2, (0, 0, 1)), (3, (1, 1, 1)), (5, (0, 1, _GOLDEN))),
}


def symmetry_matrices(name: str) -> Array:
    """Rotations of a point group.

    Parameters
    ----------
    name : str
        ``C<n>`` (n-fold along z), ``D<n>`` (and a two-fold along x), ``T``, ``O`` or ``I``.

    Returns
    -------
    ndarray
        ``(operations, 3, 3)``, acting on column vectors (x, y, z); the identity comes first.

    Raises
    ------
    CryoflowError
        For a name that is none of these.
    """
    match = re.fullmatch(r"([CD])([1-9]\d?)|([TOI])", name.upper())
    if match is None:
        raise CryoflowError(f"symmetry {name!r}: unknown point group; use C1 .. C99, D1 .. D99, T, O or I")
    if match[3]:
        return _close([axis_rotation(axis, 360 / fold) for fold, axis in _CUBIC_AXES[match[3]]])
    turns = [axis_rotation((0, 0, 1), 360 * k / int(match[2])) for k in range(int(match[2]))]
    if match[1] == "D":
        turns += [turn @ axis_rotation((1, 0, 0), 180) for turn in turns]
    return np.stack(turns)


def axis_rotation(axis: tuple[float, float, float], angle_deg: float) -> Array:
    """Right-handed rotation about an axis (Rodrigues), ``(3, 3)``."""
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.deg2rad(angle_deg)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def _close(generators: list[Array]) -> Array:
    """Multiply the generators together until nothing new comes."""
    group = [np.eye(3)]
    for element in group:  # grows while it is walked through
        for generator in generators:
            product = generator @ element
            if not any(np.allclose(product, known, atol=1e-6) for known in group):
                group.append(product)
    return np.stack(group)
