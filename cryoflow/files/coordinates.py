"""Where the coordinates of each micrograph lie."""

from __future__ import annotations

import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.atomic import read_bytes, write_bytes
from cryoflow.files.job_paths import stem_below_job
from cryoflow.files.star import read_star
from cryoflow.files.tables import read_micrographs, require

CoordinateList = list[tuple[str, Path]]

_SUFFIX_FILE = re.compile(r"^coords_suffix_(.+)\.star$")


def read_coordinates(path: str | PathLike[str]) -> pd.DataFrame:
    """Read the coordinates of one micrograph, ``rlnCoordinateX`` and ``rlnCoordinateY`` in pixels.

    A file without blocks, as RELION 3.0 leaves it where it finds nothing, has none.

    Raises
    ------
    FileError
        As `read_star`, and when the file has no such table.
    """
    columns, blocks = ["rlnCoordinateX", "rlnCoordinateY"], read_star(path)
    for block in blocks.values() if blocks else [pd.DataFrame(columns=columns, dtype=float)]:
        if isinstance(block, pd.DataFrame) and set(columns) <= set(block.columns):
            return block
    raise FileError(path, "holds no coordinates: no table with rlnCoordinateX and rlnCoordinateY")


def read_coordinate_list(
    path: str | PathLike[str], project: Path, micrographs: Sequence[str] = ()
) -> CoordinateList:
    """List micrographs with the files of their coordinates.

    Parameters
    ----------
    path : path-like
        One of: a ``coords_suffix_<suffix>.star`` file (one line that names a STAR file of micrographs;
        coordinates lie beside it); RELION 4's ``autopick.star`` (``data_coordinate_files``); or a folder with
        ``<micrograph>_*.star`` or ``<micrograph>.star`` anywhere below it.
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
        When `path` is none of these, or a folder has two files for one micrograph.
    """
    path = Path(path)
    if path.is_dir():
        return _from_folder(path, micrographs)
    suffix = _SUFFIX_FILE.match(path.name)
    if suffix:
        return _from_suffix(path, project, suffix.group(1))
    return _from_table(path, project)


def write_suffix_file(path: str | PathLike[str], table: str) -> None:
    """Write a ``coords_suffix_<suffix>.star`` beside coordinates of the micrographs of a project's table."""
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


def _from_suffix(path: Path, project: Path, suffix: str) -> CoordinateList:
    table = read_micrographs(project / read_suffix_file(path))
    require(table, "rlnMicrographName")
    pairs = [
        (name, path.parent / f"{stem_below_job(name)}_{suffix}.star")
        for name in table.rows["rlnMicrographName"]
    ]
    return [(name, file) for name, file in pairs if file.exists()]


def _from_table(path: Path, project: Path) -> CoordinateList:
    block = read_star(path).get("coordinate_files")
    columns = ["rlnMicrographName", "rlnMicrographCoordinates"]
    if not isinstance(block, pd.DataFrame) or not set(columns) <= set(block.columns):
        expected = "a table data_coordinate_files with rlnMicrographName and rlnMicrographCoordinates"
        raise FileError(path, f"expected {expected}, or a coords_suffix_*.star file, or a folder")
    return [(name, project / file) for name, file in block[columns].itertuples(index=False)]


def _from_folder(folder: Path, micrographs: Sequence[str]) -> CoordinateList:
    if not micrographs:
        raise FileError(folder, "a folder of coordinates needs the names of the micrographs as well")
    hidden = (".", "coords_suffix_")
    files = sorted(file for file in folder.rglob("*.star") if not file.name.startswith(hidden))
    by_stem: dict[str, list[Path]] = {}
    stems = {Path(name).stem for name in micrographs}
    for file in files:
        stem = _longest_stem(file.stem, stems)
        if stem is not None:
            by_stem.setdefault(stem, []).append(file)
    found = [(name, _choose(folder, name, by_stem.get(Path(name).stem, []))) for name in micrographs]
    return [(name, file) for name, file in found if file is not None]


def _longest_stem(name: str, stems: set[str]) -> str | None:
    """Find the micrograph a file belongs to: mic1_2_pick is of mic1_2, if there is one, and not of mic1."""
    while name not in stems:
        name, underscore, _ = name.rpartition("_")
        if not underscore:
            return None
    return name


def _choose(folder: Path, micrograph: str, files: list[Path]) -> Path | None:
    beside = Path(stem_below_job(micrograph)).parent
    files = [file for file in files if file.relative_to(folder).parent == beside] or files
    if len(files) > 1:
        raise FileError(folder, f"two coordinate files for {micrograph}: {files[0].name}, {files[1].name}")
    return files[0] if files else None
