"""Refined offsets back in the micrograph: reset, kept, or moved into the coordinates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial.transform import Rotation

Floats = npt.NDArray[np.float64]
_ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")


def reset(rows: pd.DataFrame) -> pd.DataFrame:
    """Set existing offsets to zero: particles stay where they were picked."""
    return rows.assign(**{f"rlnOrigin{axis}": 0.0 for axis in "XYZ" if f"rlnOrigin{axis}" in rows.columns})


def to_micrograph_pixels(rows: pd.DataFrame, ratio: Floats) -> pd.DataFrame:
    """Offsets in micrograph pixels; ``ratio`` is particle over micrograph pixel size, ``(n,)``."""
    origins = [f"rlnOrigin{axis}" for axis in "XYZ" if f"rlnOrigin{axis}" in rows.columns]
    return rows.assign(**{name: rows[name].to_numpy(np.float64) * ratio for name in origins})


def recentre(rows: pd.DataFrame, ratio: Floats, point: tuple[float, float, float]) -> pd.DataFrame:
    """Move coordinates by the whole-pixel part of the refined offsets, which keep the remainder.

    Parameters
    ----------
    rows : DataFrame
        With ``rlnCoordinateX/Y`` in micrograph pixels, and ``rlnOriginX/Y`` in particle pixels.
    ratio : ndarray
        Particle pixel size over micrograph pixel size, ``(n,)``.
    point : tuple of float
        x, y, z of the point of the reference, from its centre and in its pixels, to place at the centre
        of the box; it is rotated by each particle's Euler angles (ZYZ; missing angles are 0) and
        projected along z.

    Returns
    -------
    DataFrame
        Offsets in micrograph pixels, ``coordinate - origin`` unchanged but for the point.
    """
    nothing = pd.Series(np.zeros(len(rows)))
    angles = np.stack([rows.get(name, nothing).to_numpy(np.float64) for name in _ANGLES], 1)
    turned = Rotation.from_euler("ZYZ", angles, degrees=True).inv().apply(point) if len(rows) else angles
    moved = {}
    for column, axis in enumerate("XYZ"):
        origin, coordinate = f"rlnOrigin{axis}", f"rlnCoordinate{axis}"
        if origin in rows.columns and coordinate in rows.columns:
            offset = (rows[origin].to_numpy(np.float64) - turned[:, column]) * ratio
            whole = np.sign(offset) * np.floor(np.abs(offset) + 0.5)
            moved[coordinate] = rows[coordinate].to_numpy(np.float64) - whole
            moved[origin] = offset - whole
    return rows.assign(**moved)
