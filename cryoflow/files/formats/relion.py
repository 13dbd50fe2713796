"""STAR files of picks and particles: RELION's, crYOLO's (which are RELION's), and those of Warp and M."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.formats.picks import CLASS, IMAGE, NAME, PSI, SCORE, Picks, X, Y, rounded
from cryoflow.files.star import Block, StarStyle, as_table, read_star, write_star
from cryoflow.files.tables import Table, read_particles, write_table

_OWN = "RELION: x and y of the centre in pixels, from the first pixel of the MRC file"
_WARP = "M: x and y of the centre in A, divided by the pixel size of the micrographs"
_WARP_X = re.compile(r"^wrpCoordinateX1?$")
_PICKED = (X, Y, CLASS, SCORE, PSI)
_OF_IMAGES = (
    "rlnMagnification",
    "rlnDetectorPixelSize",
    "rlnImageSize",
    "rlnOpticsGroup",
    "rlnOpticsGroupName",
)


def read_relion(path: Path, pixel_size_a: float | None = None) -> Picks:
    """Read coordinates of one or many micrographs, or particles, in any style since RELION 2.

    Parameters
    ----------
    path : Path
    pixel_size_a : float, optional
        Of the micrographs, which the coordinates of M need.

    Raises
    ------
    FileError
        As `read_star`, and when the file has no coordinates.
    """
    blocks = read_star(path)
    if not blocks:  # RELION 3.0 writes a table without rows in this way
        return Picks(pd.DataFrame(columns=[X, Y], dtype=float), (_OWN,))
    warp = next(
        (as_table(block) for block in blocks.values() if any(map(_WARP_X.match, map(str, block)))), None
    )
    if warp is not None:
        return _read_warp(path, warp, pixel_size_a)
    if any(_has(block, NAME, X, Y) or _has(block, IMAGE) for block in blocks.values()):
        return Picks(read_particles(path).rows, (_OWN,))
    for block in blocks.values():
        if _has(block, X, Y):
            return Picks(as_table(block), (_OWN,))
    raise FileError(path, "holds no coordinates: no table with rlnCoordinateX and rlnCoordinateY")


def write_picked(path: Path, rows: pd.DataFrame) -> None:
    """Write the coordinates of one micrograph as RELION's own picking does."""
    write_star(path, {"": rows[[name for name in _PICKED if name in rows.columns]]})


def write_relion(path: Path, rows: pd.DataFrame, style: StarStyle) -> None:
    """Write one table of particles, or of coordinates of many micrographs.

    Coordinates have no pixel size of their own and so are always written to a table without optics, which
    every version of RELION reads.
    """
    if IMAGE in rows.columns:
        write_table(path, Table(rows, style, path, "particles" if style == "3.1" else ""))
    else:
        others = [name for name in rows.columns if name not in _OF_IMAGES]
        write_table(path, Table(rows[others], "3.0", path, ""))


def _read_warp(path: Path, table: pd.DataFrame, pixel_size_a: float | None) -> Picks:
    if pixel_size_a is None:
        raise FileError(
            path, "has coordinates of M, in A; give the pixel size of the micrographs (--pixel-size)"
        )
    suffix = "1" if "wrpCoordinateX1" in table.columns else ""
    names = (f"wrpCoordinateX{suffix}", f"wrpCoordinateY{suffix}", "wrpSourceName")
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise FileError(path, f"lacks the columns {', '.join(missing)} of M")
    x, y, source = (table[name] for name in names)
    columns = {NAME: source.astype(str), X: rounded(x / pixel_size_a), Y: rounded(y / pixel_size_a)}
    if "wrpRandomSubset" in table.columns:
        columns["rlnRandomSubset"] = table["wrpRandomSubset"].astype(np.int64)
    return Picks(pd.DataFrame(columns), (_WARP, "poses of M are left out"))


def _has(block: Block, *columns: str) -> bool:
    return all(name in block for name in columns)
