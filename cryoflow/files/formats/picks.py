"""Picks and particles of all programs in one form."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.errors import FileError

NAME, X, Y = "rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY"
SCORE, PSI, CLASS, IMAGE = "rlnAutopickFigureOfMerit", "rlnAnglePsi", "rlnClassNumber", "rlnImageName"
DECIMALS = 6
"""Decimals of coordinates in pixels, as in a STAR file."""


class Picks(NamedTuple):
    """Picks, or particles, of one or many micrographs.

    Attributes
    ----------
    rows : DataFrame
        In RELION 3.0's terms (see `cryoflow.files.tables`): ``rlnCoordinateX`` and ``rlnCoordinateY`` are the
        centre of a particle in pixels of its micrograph, from the centre of the first pixel of the MRC file.
        ``rlnMicrographName`` is missing where the file is of one micrograph and does not name it.
    conventions : tuple of str
        The file's conventions and how they were converted, one sentence each.
    box_px : float, optional
        Size of the boxes in pixels, where the file has boxes of one size.
    """

    rows: pd.DataFrame
    conventions: tuple[str, ...] = ()
    box_px: float | None = None


def rounded(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Round pixels to `DECIMALS`, so that ``corner + box / 2`` is the decimal number that was meant."""
    return np.asarray(np.round(np.asarray(values, np.float64), DECIMALS))


def from_boxes(
    corners: npt.NDArray[np.float64], sizes: npt.NDArray[np.float64]
) -> tuple[pd.DataFrame, float | None]:
    """Return centres, and the size of the boxes if they have one, from corners and sizes, each ``(n, 2)``."""
    centres = rounded(corners + sizes / 2)
    one = len(sizes) > 0 and sizes[0, 0] > 0 and bool(np.all(sizes == sizes[0, 0]))
    box = float(sizes[0, 0]) if one else None
    return pd.DataFrame(centres, columns=[X, Y], dtype=float), box


def to_corners(rows: pd.DataFrame, box_px: float) -> npt.NDArray[np.float64]:
    """Return the lower corners of boxes around the picks: (n, 2), x and y."""
    return rounded(rows[[X, Y]].to_numpy(np.float64) - box_px / 2)


def text(value: float) -> str:
    """Return a number as the shortest text that reads back as the same; whole numbers without a point."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def real(path: object, value: object, what: str, line: int | None = None) -> float:
    """Convert a value of a file to a finite number.

    Raises
    ------
    FileError
        Naming what it should have been.
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise FileError(str(path), f"{what} is {value!r}, not a number", line)
    return number
