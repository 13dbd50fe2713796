"""crYOLO's ``.cbox``: a STAR file of boxes with their confidence, or five plain columns in older versions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.formats.eman import content_lines, read_box
from cryoflow.files.formats.picks import SCORE, Picks, from_boxes, real, to_corners
from cryoflow.files.star import as_table, read_star, write_star

_CONVENTIONS = (
    "crYOLO boxes: x and y of the lower corner, width, height; the centre is the corner plus half a box",
    "the origin is the first pixel of the MRC file, as in RELION",
    "boxes of every confidence are kept; crYOLO's own thresholds are applied in its STAR and BOX folders",
)
_NEEDED = ("CoordinateX", "CoordinateY", "Width", "Height")


def read_cbox(path: Path) -> Picks:
    """Read a ``.cbox`` file of one micrograph.

    Raises
    ------
    FileError
        When there is no table ``data_cryolo`` with corners and sizes, or its boxes are of a tomogram.
    """
    if not any(line.lstrip().startswith("data_") for _, line in content_lines(path)):
        return _read_columns(path)
    block = read_star(path).get("cryolo")
    missing = [name for name in _NEEDED if block is None or name not in block]
    if block is None or missing:
        raise FileError(path, f"has no table data_cryolo with {', '.join(_NEEDED)}")
    table = as_table(block)
    if len(set(_finite(table, "CoordinateZ"))) > 1:
        raise FileError(path, "holds boxes at several heights of a tomogram; only micrographs are supported")
    columns = {name: [real(path, value, name) for value in table[name]] for name in _NEEDED}
    values = np.array([columns[name] for name in _NEEDED], np.float64).T.reshape(-1, 4)
    rows, box_px = from_boxes(values[:, :2], values[:, 2:])
    confidence = _finite(table, "Confidence")
    if len(rows) and len(confidence) == len(rows):
        rows[SCORE] = confidence
    return Picks(rows, _CONVENTIONS, box_px)


def write_cbox(path: Path, rows: pd.DataFrame, box_px: float) -> None:
    """Write the boxes of one micrograph as crYOLO 1.8 and later have them."""
    corners, absent = to_corners(rows, box_px), ["<NA>"] * len(rows)
    box = np.full(len(rows), float(box_px))
    columns = {
        "CoordinateX": corners[:, 0], "CoordinateY": corners[:, 1], "CoordinateZ": absent,
        "Width": box, "Height": box, "Depth": absent, "EstWidth": absent, "EstHeight": absent,
        "Confidence": rows[SCORE].to_numpy(np.float64) if SCORE in rows.columns else absent,
        "NumBoxes": absent, "Angle": absent,
    }  # fmt: skip
    write_star(path, {"global": {"cbox_format_version": "1.0"}, "cryolo": pd.DataFrame(columns)})


def _read_columns(path: Path) -> Picks:
    """Boxes with their confidence in the fifth column, as crYOLO wrote them before version 1.8."""
    picks = read_box(path)
    words = [line.split() for _, line in content_lines(path)]
    rows = picks.rows
    if words and all(len(row) > 4 for row in words):
        rows = rows.assign(**{SCORE: [real(path, row[4], "the confidence") for row in words]})
    return Picks(rows, _CONVENTIONS, picks.box_px)


def _finite(table: pd.DataFrame, name: str) -> npt.NDArray[np.float64]:
    """Return the numbers of a column that may hold ``<NA>``, without those."""
    if name not in table.columns:
        return np.array([], np.float64)
    values = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64)
    return np.asarray(values[np.isfinite(values)])
