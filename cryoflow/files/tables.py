"""RELION's tables of micrographs and particles, of 3.0 and of 3.1 and later, in one form.

In memory a table is always flat and in RELION 3.0's terms: optics values are in every row, offsets are
in pixels (``rlnOriginX``), the pixel size is ``1e4 * rlnDetectorPixelSize / rlnMagnification``. The style
that a table came in is kept with it, and used again for writing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.optics import merge_optics, split_optics
from cryoflow.files.star import Block, StarStyle, read_star, table_block, write_star
from cryoflow.files.vocabulary import (
    find_pixel_size,
    states_pixel_size,
    to_flat,
    to_optics_style,
    to_relion_30,
)

__all__ = [
    "PIXEL_TOLERANCE",
    "Table",
    "one_pixel_size",
    "pixel_size",
    "read_micrographs",
    "read_particles",
    "require",
    "require_finite",
    "states_pixel_size",
    "write_table",
]

_OLD_NAME = {"particles": "images", "micrographs": ""}  # RELION 3.0 calls classified particles images

_NEEDED: dict[str, tuple[set[str], ...]] = {
    "particles": ({"rlnImageName"}, {"rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY"}),
    "micrographs": ({"rlnMicrographName"},),
}
"""Columns that identify the kind of a table."""

_OF_PARTICLES = ("rlnImageName", "rlnCoordinateX")

_NOT_UTF8 = re.compile("[\udc80-\udcff]")

PIXEL_TOLERANCE = 1e-3
"""Relative difference up to which pixel sizes of particles count as equal."""

TableName = Literal["micrographs", "particles", ""]


class Table(NamedTuple):
    """A table of micrographs or particles.

    Attributes
    ----------
    rows : DataFrame
        Flat, in RELION 3.0's terms (see the module's docstring); ``rlnOpticsGroup`` is kept if there.
    style : {"3.0", "3.1"}
        How the file was written; "3.1" includes all later versions.
    path : Path
        Where it came from, for messages.
    name : {"micrographs", "particles", ""}
        Name of the block in 3.1; empty for RELION 3.0.
    optics : tuple of str
        Columns that came from the optics table and go back there; empty: RELION's usual ones.
    """

    rows: pd.DataFrame
    style: StarStyle
    path: Path
    name: TableName
    optics: tuple[str, ...] = ()


def read_micrographs(path: str | PathLike[str]) -> Table:
    """Read a table of micrographs, ``data_`` or ``data_optics`` with ``data_micrographs``.

    A block of another name is read where it is the only one with the needed columns.

    Raises
    ------
    FileError
        As `read_star`, and when there is no such table or a row names an unknown optics group.
    """
    return _read(Path(path), "micrographs")


def read_particles(path: str | PathLike[str]) -> Table:
    """Read a table of particles: ``data_``, ``data_images`` or ``data_optics`` with ``data_particles``."""
    return _read(Path(path), "particles")


def write_table(path: str | PathLike[str], table: Table, style: StarStyle | None = None) -> None:
    """Write a table in its own style or in the given one.

    "3.1" splits the optics values off: rows with the same voltage, spherical aberration, amplitude contrast,
    pixel size ... (to one part in ten thousand) share a group, named ``opticsGroup1`` and so on unless the
    rows name it. RELION expects ``rlnImageSize`` and ``rlnImageDimensionality`` with particles in this style:
    put them into the rows. "3.0" leaves out the columns that only later versions know.

    Raises
    ------
    FileError
        When the pixel size is needed and missing, or the file cannot be written.
    """
    style = table.style if style is None else style
    try:
        blocks = _blocks_31(table) if style == "3.1" else {"": to_relion_30(table.rows, _is_flat(table))}
    except CryoflowError as error:
        raise FileError(path, f"cannot be written: {error}") from error
    write_star(path, blocks, style)


def pixel_size(table: Table | pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return the pixel size of each row in Angstrom: (n,).

    From ``rlnMagnification`` and ``rlnDetectorPixelSize`` (micrometres), or else ``rlnImagePixelSize`` or
    ``rlnMicrographPixelSize``.

    Raises
    ------
    CryoflowError
        When the rows have none of these, or a value is not positive. A ``FileError`` if a table is given.
    """
    if isinstance(table, pd.DataFrame):
        return find_pixel_size(table)
    try:
        return find_pixel_size(table.rows)
    except CryoflowError as error:
        raise FileError(table.path, str(error)) from error


def one_pixel_size(table: Table, name: str) -> float:
    """Return the pixel size of all particles in Angstrom; ``name`` is the table's name in messages.

    Raises
    ------
    FileError
        As `pixel_size`, and when there are several.
    """
    sizes = pixel_size(table)
    if np.ptp(sizes) > PIXEL_TOLERANCE * sizes[0]:
        found = f"{sizes.min():g} to {sizes.max():g} A"
        raise FileError(name, f"particles of several pixel sizes ({found}); rescale them to one")
    return float(sizes[0])


def require(table: Table, *columns: str, why: str = "") -> None:
    """Check that the table has these columns; ``why`` follows their names in the message.

    Raises
    ------
    FileError
        Naming the file and every column that is missing, or the first row without a name that can be written.
    """
    missing = [name for name in columns if name not in table.rows.columns]
    if missing:
        have = ", ".join(map(str, table.rows.columns))
        s = "s" if len(missing) > 1 else ""
        raise FileError(table.path, f"lacks the column{s} {', '.join(missing)}{why}; it has {have}")
    for name in (name for name in columns if name.endswith("Name")):
        for row, value in enumerate(map(str, table.rows[name]), 1):
            if not value:
                raise FileError(table.path, f"{name} of row {row} is empty; remove the row")
            if not value.isascii() and _NOT_UTF8.search(value):
                raise FileError(table.path, f"{name} of row {row} is not in UTF-8; rename the file")


def require_finite(table: Table, *columns: str) -> None:
    """Check that the columns, where present, hold finite numbers.

    Raises
    ------
    FileError
        Naming the column and the first row, counted from 1, that is not finite.
    """
    for name in (name for name in columns if name in table.rows.columns):
        wrong = np.flatnonzero(~np.isfinite(table.rows[name].to_numpy(np.float64)))
        if wrong.size:
            raise FileError(table.path, f"{name} of row {wrong[0] + 1} is not a finite number")


def _read(path: Path, name: Literal["micrographs", "particles"]) -> Table:
    blocks = read_star(path)
    own = table_block(path, blocks, _block_name(path, blocks, name), name)
    optics = table_block(path, blocks, "optics") if "optics" in blocks else None
    try:
        rows = to_flat(own if optics is None else merge_optics(own, optics), name)
    except CryoflowError as error:
        raise FileError(path, str(error)) from error
    if optics is None:
        return Table(rows, "3.0", path, "")
    return Table(rows, "3.1", path, name, tuple(map(str, optics.columns)))


def _block_name(path: Path, blocks: Mapping[str, Block], name: Literal["micrographs", "particles"]) -> str:
    """The block that holds the table: of RELION's name, or the only one with the columns that it needs."""
    usual = [known for known in (name, _OLD_NAME[name], "") if known in blocks]
    fit = [key for key, block in blocks.items() if key != "optics" and _fits(block, name)]
    of_usual = [known for known in usual if known in fit]
    if len(fit) > 1 and not of_usual:
        have = ", ".join(f"data_{key}" for key in fit)
        raise FileError(path, f"has several tables of {name}: {have}; keep one of them")
    loops = [known for known in usual if isinstance(blocks[known], pd.DataFrame)]
    return next(iter((*of_usual, *fit, *loops, name)))


def _fits(block: Block, name: Literal["micrographs", "particles"]) -> bool:
    columns = set(block.keys())
    of_particles = name == "micrographs" and not columns.isdisjoint(_OF_PARTICLES)
    return not of_particles and any(needed <= columns for needed in _NEEDED[name])


def _is_flat(table: Table) -> bool:
    """Whether a table came without optics groups, so that RELION 3.0 could read its columns."""
    return table.style == "3.0" and not table.optics


def _blocks_31(table: Table) -> dict[str, Block]:
    name = table.name or ("particles" if "rlnImageName" in table.rows.columns else "micrographs")
    optics, rows = split_optics(to_optics_style(table.rows, name), table.optics)
    return {"optics": optics, name: rows}
