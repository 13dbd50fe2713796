"""Coordinates of micrographs: reading, and finding their files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.atomic import read_bytes, write_bytes
from cryoflow.files.coordinate_folder import files_of_micrographs
from cryoflow.files.formats.kinds import COLUMNS, ONE_EACH, read_picks
from cryoflow.files.job_paths import micrograph_file
from cryoflow.files.star import Block, as_table, read_star
from cryoflow.files.tables import read_micrographs, read_particles, require

CoordinateList = list[tuple[str, Path]]

_SUFFIX_FILE = re.compile(r"^coords_suffix_(.+)\.star$")
_NAME, _FILE = "rlnMicrographName", "rlnMicrographCoordinates"
_TABLES = frozenset({*COLUMNS, ".cs"})
_XY = ("rlnCoordinateX", "rlnCoordinateY")
_OF_PARTICLES = ("rlnImageName", "rlnMagnification", "rlnDetectorPixelSize", "rlnImageSize", "rlnOpticsGroup")


def read_coordinates(path: str | PathLike[str]) -> pd.DataFrame:
    """Read the coordinates of one micrograph, ``rlnCoordinateX`` and ``rlnCoordinateY`` in pixels.

    A STAR file without blocks, as RELION 3.0 leaves it where it finds nothing, has none. Files of other
    programs (``.box``, ``.cbox``, ``.json``, ``.txt``, ``.csv``) are read by `cryoflow.files.formats`.

    Raises
    ------
    FileError
        As `read_star`, and when the file has no such table.
    """
    if Path(path).suffix.lower() in (*ONE_EACH, *COLUMNS):
        return read_picks(Path(path)).rows.drop(columns=_NAME, errors="ignore")
    blocks = read_star(path)
    for block in blocks.values() if blocks else [pd.DataFrame(columns=list(_XY), dtype=float)]:
        if _has(block, _XY):
            return as_table(block)
    raise FileError(path, "holds no coordinates: no table with rlnCoordinateX and rlnCoordinateY")


def read_coordinate_list(
    path: str | PathLike[str], project: Path, micrographs: Sequence[str] = ()
) -> CoordinateList:
    """List micrographs with the files of their coordinates.

    Parameters
    ----------
    path : path-like
        One of: a ``coords_suffix_<suffix>.star`` file (one line that names a STAR file of micrographs,
        next to coordinates); RELION 4's ``autopick.star`` (``data_coordinate_files``); or a folder with
        ``<micrograph>_*.star`` or ``<micrograph>.star`` (or ``.box``, ``.cbox``, ``_info.json``) anywhere
        below it.
    project : Path
        The folder that the names inside these files start from.
    micrographs : sequence of str
        Names of the micrographs, needed for a folder.

    Returns
    -------
    list of (str, Path)
        Micrograph name as its table has it, and coordinate file. Micrographs without one are left out.

    Raises
    ------
    FileError
        When `path` is none of these, a micrograph has two files, or a file has two micrographs.
    """
    path = Path(path)
    if path.is_dir():
        if not micrographs:
            raise FileError(path, "a folder of coordinates needs the names of the micrographs as well")
        return files_of_micrographs(path, micrographs)
    suffix = _SUFFIX_FILE.match(path.name)
    if path.suffix.lower() in _TABLES:
        raise FileError(path, "is one table of picks; make a list of it: cryoflow convert IN OUT --to relion")
    if suffix:
        return _one_file_each(path, _from_suffix(path, project, f"_{suffix.group(1)}.star"))
    return _one_file_each(path, _from_table(path, project))


def missing_coordinates(path: Path, project: Path) -> CoordinateList:
    """List micrographs of a suffix file whose coordinates do not exist, with the files looked for."""
    suffix = _SUFFIX_FILE.match(path.name)
    pairs = _suffix_pairs(path, project, f"_{suffix.group(1)}.star") if suffix else []
    return [(name, file) for name, file in pairs if not file.exists()]


def table_of_suffix_file(path: Path) -> tuple[str, ...]:
    """Return the name of the table of micrographs that a suffix file holds; nothing for other files."""
    return (read_suffix_file(path),) if _SUFFIX_FILE.match(path.name) else ()


def write_suffix_file(path: str | PathLike[str], table: str) -> None:
    """Write a ``coords_suffix_<suffix>.star`` next to coordinates of the micrographs of a project's table."""
    write_bytes(path, f"{table}\n".encode("utf-8", "surrogateescape"))


def read_suffix_file(path: str | PathLike[str]) -> str:
    """Return the name of the table of micrographs that a ``coords_suffix_<suffix>.star`` holds.

    Raises
    ------
    FileError
        When the file cannot be read or has not just one line.
    """
    lines = read_bytes(path).decode("utf-8", "surrogateescape").strip().splitlines()
    if len(lines) != 1 or "\0" in lines[0]:
        raise FileError(path, "expected one line that names a STAR file of micrographs")
    return lines[0]


def read_coordinate_table(path: str | PathLike[str]) -> pd.DataFrame | None:
    """Read coordinates of all micrographs from one table; None where `path` is not such a table.

    Returns
    -------
    DataFrame or None
        ``rlnMicrographName``, ``rlnCoordinateX``, ``rlnCoordinateY`` and what else the rows have, but for
        images and pixel sizes, which are of particles.

    Raises
    ------
    FileError
        When the table has refined offsets, which coordinates do not carry.
    """
    path = Path(path)
    if path.is_dir() or _SUFFIX_FILE.match(path.name) or path.suffix.lower() in ONE_EACH:
        return None
    if path.suffix.lower() in _TABLES:
        return _of_another_program(path)
    if not any(_has(block, (_NAME, *_XY)) for block in read_star(path).values()):
        return None
    rows = read_particles(path).rows
    if any(bool(rows[name].any()) for name in ("rlnOriginX", "rlnOriginY") if name in rows.columns):
        instead = "give it as 'Refined particles STAR file' with 'OR re-extract refined particles?' Yes"
        raise FileError(path, f"has refined offsets (rlnOriginX, rlnOriginY); {instead}")
    return rows.drop(columns=[name for name in _OF_PARTICLES if name in rows.columns])


def _has(block: Block, columns: Sequence[str]) -> bool:
    names = block if isinstance(block, dict) else block.columns
    return all(name in names for name in columns)


def _from_suffix(path: Path, project: Path, ending: str) -> CoordinateList:
    return [(name, file) for name, file in _suffix_pairs(path, project, ending) if file.exists()]


def _suffix_pairs(path: Path, project: Path, ending: str) -> CoordinateList:
    table = read_micrographs(project / read_suffix_file(path))
    require(table, _NAME)
    return [(name, micrograph_file(path.parent, name, ending)) for name in table.rows[_NAME]]


def _from_table(path: Path, project: Path) -> CoordinateList:
    block = read_star(path).get("coordinate_files", {})
    if not _has(block, (_NAME, _FILE)):
        expected = "a table data_coordinate_files with rlnMicrographName and rlnMicrographCoordinates"
        raise FileError(path, f"expected {expected}, or a coords_suffix_*.star file, or a folder")
    rows = as_table(block)
    return [(name, project / file) for name, file in rows[[_NAME, _FILE]].itertuples(index=False)]


def _one_file_each(path: Path, pairs: CoordinateList) -> CoordinateList:
    """Refuse a list that gives two micrographs the same coordinates."""
    owner: dict[Path, str] = {}
    for name, file in pairs:
        first = owner.setdefault(file, name)
        if first != name:
            text = f"gives {first} and {name} the same coordinates, {file.name}; pick again"
            raise FileError(path, f"{text}, so that each micrograph has its own file")
    return pairs


def _of_another_program(path: Path) -> pd.DataFrame:
    rows = read_picks(path).rows
    missing = [name for name in (_NAME, *_XY) if name not in rows.columns]
    if missing:
        raise FileError(
            path, f"has no {', '.join(missing)}: coordinates of many micrographs need their names"
        )
    return rows.drop(columns=[name for name in _OF_PARTICLES if name in rows.columns])
