"""The columns of extracted particles, in RELION's order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cryoflow.errors import CryoflowError
from cryoflow.files.mrc import join_image_name
from cryoflow.files.star import StarStyle

_CTF = (
    "rlnVoltage",
    "rlnDefocusU",
    "rlnDefocusV",
    "rlnDefocusAngle",
    "rlnSphericalAberration",
    "rlnCtfBfactor",
    "rlnCtfScalefactor",
    "rlnPhaseShift",
    "rlnAmplitudeContrast",
)
_DEFAULTS = {"rlnDefocusAngle": 0.0, "rlnCtfBfactor": 0.0, "rlnCtfScalefactor": 1.0, "rlnPhaseShift": 0.0}
_FROM_MICROGRAPH = ("rlnCtfMaxResolution", "rlnCtfFigureOfMerit")
_TILT = ("rlnBeamTiltX", "rlnBeamTiltY", "rlnBeamTiltClass")

Columns = dict[str, Any]
"""Columns of a new table; a single value applies to all rows."""


class Frame(NamedTuple):
    """Properties common to all particles of one micrograph."""

    micrograph: Mapping[str, Any]
    """The micrograph's row, flat."""
    stack: str
    """Project-relative name of their stack."""
    pixel_size: float | None
    """Pixel size of the micrograph, A; None: unknown."""
    size: int
    rescaled: int
    manual: bool
    """The pixel size was set by hand."""
    optics: tuple[str, ...]
    """Columns of the micrographs' optics table, empty for RELION 3.0."""
    style: StarStyle = "3.0"
    """Version of the tables to be written."""


def coordinates(rows: pd.DataFrame) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """``y`` and ``x`` of each row in micrograph pixels, float64.

    Raises
    ------
    CryoflowError
        When a coordinate is not a finite number.
    """
    try:
        y, x = (rows[f"rlnCoordinate{axis}"].to_numpy(np.float64, copy=True) for axis in "YX")
    except ValueError as error:
        raise CryoflowError(f"a coordinate is not a number: {error}") from None
    wrong = np.flatnonzero(~(np.isfinite(y) & np.isfinite(x)))
    if wrong.size:
        raise CryoflowError(f"the coordinates of row {int(wrong[0]) + 1} are not finite")
    return y, x


def particle_rows(picks: pd.DataFrame, frame: Frame) -> pd.DataFrame:
    """Add to coordinates what RELION's extraction adds, in its order.

    Columns that the coordinates bring along keep their place. The CTF of refined particles is kept; pixel
    size and quality of the CTF fit come from the micrograph.
    """
    new: Columns = {str(name): values.array for name, values in picks.items()}
    new["rlnImageName"] = [join_image_name(index, frame.stack) for index in range(len(picks))]
    new["rlnMicrographName"] = str(frame.micrograph["rlnMicrographName"])
    _set_pixel_size(new, frame)
    _set_ctf(new, frame.micrograph, own="rlnDefocusU" in picks.columns)
    for name in (*_TILT, *frame.optics):
        if name in frame.micrograph:
            new.setdefault(name, frame.micrograph[name])
    _set_origins(new, frame)
    if frame.style == "3.1" or "rlnImageSize" in new:
        new["rlnImageSize"], new["rlnImageDimensionality"] = frame.rescaled, 2
    return pd.DataFrame(new)


def _set_pixel_size(new: Columns, frame: Frame) -> None:
    if frame.pixel_size is None:
        return
    magnification = 1e4 if frame.manual else float(frame.micrograph.get("rlnMagnification", 1e4))
    scale = frame.size / frame.rescaled
    new["rlnMagnification"] = magnification
    new["rlnDetectorPixelSize"] = frame.pixel_size * magnification / 1e4 * scale


def _set_ctf(new: Columns, micrograph: Mapping[str, Any], own: bool) -> None:
    for name in _FROM_MICROGRAPH:
        if name in micrograph:
            new[name] = micrograph[name]
    if own or "rlnDefocusU" not in micrograph:
        return
    defaults = {**_DEFAULTS, "rlnDefocusV": micrograph["rlnDefocusU"]}
    for name in _CTF:
        new[name] = micrograph.get(name, defaults.get(name))


def _set_origins(new: Columns, frame: Frame) -> None:
    if frame.rescaled == frame.size:
        return
    factor = frame.rescaled / frame.size
    for axis in "XYZ":
        name = f"rlnOrigin{axis}"
        if name in new:
            new[name] = new[name].to_numpy(np.float64) * factor
        elif axis != "Z":
            new[name] = 0.0
