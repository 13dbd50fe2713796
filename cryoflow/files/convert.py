"""Conversion of picks and particles between programs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.atomic import unreadable
from cryoflow.files.coordinate_folder import coordinate_files
from cryoflow.files.coordinates import read_coordinate_list, write_suffix_file
from cryoflow.files.formats import FORMATS, Picks, read_picks, write_picks
from cryoflow.files.formats.kinds import BOXED, Needs
from cryoflow.files.formats.picks import IMAGE, NAME, X, Y, rounded
from cryoflow.files.job_paths import check_one_file_each, micrograph_file, stem_below_job
from cryoflow.files.micrograph_names import MicrographNames
from cryoflow.files.mrc import read_header
from cryoflow.files.star import write_star
from cryoflow.files.tables import Table, pixel_size, read_micrographs, require

Offsets = Literal["apply", "drop"]
_ORIGINS = ("rlnOriginX", "rlnOriginY")
_ADDED = re.compile(r"_(info|autopick|manualpick|picks?|extract)$")
_LIST, _SUFFIX = "picks.star", "coords_suffix_picks.star"


class Micrographs:
    """The user's own micrographs: names as tables have them, and files."""

    def __init__(self, given: Path, project: Path) -> None:
        self.given = given
        self.table: str | None = None
        names = _in_folder(given) if given.is_dir() else self._of_table(project)
        self.paths = {name: project / name for name in names}
        self._known = MicrographNames(names)

    def _of_table(self, project: Path) -> list[str]:
        table = read_micrographs(self.given)
        require(table, NAME)
        self.table = _relative(self.given, project)
        return table.rows[NAME].astype(str).tolist()

    def find(self, name: str) -> str | None:
        """Return the user's name of a micrograph by its name in another program; None if there is none."""
        return self._known.find(name)

    def shape(self, name: str) -> tuple[int, int]:
        """Return height and width in pixels, from the header."""
        own = self.find(name)
        if own is None:
            raise FileError(self.given, f"has no micrograph {name}, whose size is needed")
        header = read_header(self.paths[own])
        return header.ny, header.nx


@dataclass(frozen=True)
class Wanted:
    """Options of a conversion."""

    kind: str
    """A format of `FORMATS`."""
    box_px: float | None = None
    scale: float = 1.0
    flip_y: bool = False
    pixel_size_a: float | None = None
    """Pixel size of the micrographs."""
    offsets: Offsets | None = None
    project: Path = Path()
    """Root of the names in lists of files."""


class Converted(NamedTuple):
    """Rows in the micrographs' own names, what was done with them, and the files written."""

    rows: pd.DataFrame
    said: tuple[str, ...]
    files: tuple[Path, ...]
    lost: int
    """Number of picks on micrographs that are not among the user's."""


def read_any(
    path: Path,
    project: Path,
    micrographs: Micrographs | None,
    passthrough: Sequence[Path],
    pixel_size_a: float | None,
) -> Picks:
    """Read picks from a file of any format, from a list of coordinate files, or from a folder of them.

    Raises
    ------
    FileError
        When the file cannot be read, or does not say which micrographs its picks are of.
    """
    if path.is_dir() or _is_list(path):
        return _gathered(path, _listed(path, project, micrographs), pixel_size_a)
    picks = read_picks(path, passthrough, pixel_size_a)
    if NAME in picks.rows.columns or IMAGE in picks.rows.columns:
        return picks
    return picks._replace(rows=picks.rows.assign(**{NAME: _micrograph(path)}))


def convert(picks: Picks, out: Path, wanted: Wanted, micrographs: Micrographs | None) -> Converted:
    """Apply the requested changes to picks and write them in another format.

    Raises
    ------
    FileError
        When something needed is missing: the size of boxes, the micrographs for a flip or for fractions.
    """
    said = list(picks.conventions)
    rows = _named(picks.rows, micrographs)
    lost = len(picks.rows) - len(rows)
    if NAME not in rows.columns or X not in rows.columns:
        rows = _images_only(out, rows, wanted)
    rows = _without_offsets(out, rows, wanted, said)
    rows = _moved(out, rows, wanted, micrographs, said)
    box = wanted.box_px or picks.box_px
    if wanted.kind in BOXED:
        if box is None:
            raise FileError(out, "boxes need a size in pixels; give --box")
        said.append(f"boxes of {box:g} pixels around the centres")
    needs = Needs(box, None if micrographs is None else micrographs.shape)
    return Converted(rows, tuple(said), tuple(_written(out, rows, wanted, needs, micrographs)), lost)


def _images_only(out: Path, rows: pd.DataFrame, wanted: Wanted) -> pd.DataFrame:
    if not wanted.kind.startswith("star") or IMAGE not in rows.columns:
        raise FileError(
            out,
            "cannot be written: the particles have no coordinates; only star and star31 take images alone",
        )
    return rows


def _micrograph(file: Path) -> str:
    """Name of the micrograph of a file that does not state it: its own, without what programs add."""
    return _ADDED.sub("", file.stem)


def _in_folder(folder: Path) -> list[str]:
    names = sorted(str(path) for path in folder.rglob("*.mrc") if path.is_file())
    if not names:
        raise FileError(folder, "holds no micrographs (.mrc)")
    return names


def _is_list(path: Path) -> bool:
    if path.suffix != ".star":
        return False
    if path.name.startswith("coords_suffix_"):
        return True
    try:
        with path.open("rb") as file:
            return b"data_coordinate_files" in file.read(1 << 16)
    except OSError as error:
        raise unreadable(path, error) from error


def _listed(path: Path, project: Path, micrographs: Micrographs | None) -> list[tuple[str, Path]]:
    if path.is_dir() and micrographs is None:
        return [(_micrograph(file), file) for file in coordinate_files(path)]
    return read_coordinate_list(path, project, [] if micrographs is None else list(micrographs.paths))


def _gathered(path: Path, listed: list[tuple[str, Path]], pixel_size_a: float | None) -> Picks:
    if not listed:
        raise FileError(path, "has no coordinates of these micrographs")
    found = [(name, read_picks(file, (), pixel_size_a)) for name, file in listed]
    tables = [picks.rows.assign(**{NAME: name}) for name, picks in found]
    boxes = {picks.box_px for _, picks in found if len(picks.rows)}
    said = tuple(dict.fromkeys(line for _, picks in found for line in picks.conventions))
    filled = [table for table in tables if len(table)] or tables[:1]
    return Picks(pd.concat(filled, ignore_index=True), said, boxes.pop() if len(boxes) == 1 else None)


def _named(rows: pd.DataFrame, micrographs: Micrographs | None) -> pd.DataFrame:
    """Rows with the micrographs' own names, without those of others."""
    if micrographs is None or NAME not in rows.columns:
        return rows
    theirs = rows[NAME].astype(str)
    own = theirs.map({name: micrographs.find(name) for name in theirs.unique()})
    if len(rows) and own.isna().all():
        pair = f"they have {theirs.iloc[0]}, it has {next(iter(micrographs.paths))}"
        raise FileError(micrographs.given, f"has none of the micrographs of the picks: {pair}")
    return rows.assign(**{NAME: own})[own.notna()].reset_index(drop=True)


def _without_offsets(out: Path, rows: pd.DataFrame, wanted: Wanted, said: list[str]) -> pd.DataFrame:
    there = [name for name in _ORIGINS if name in rows.columns and bool(rows[name].any())]
    if not there or (IMAGE in rows.columns and wanted.kind.startswith("star")):
        return rows
    if wanted.offsets is None:
        raise FileError(out, "the particles have refined offsets; choose --offsets apply or --offsets drop")
    rest = rows.drop(columns=[name for name in (*_ORIGINS, "rlnOriginZ") if name in rows.columns])
    if wanted.offsets == "drop":
        said.append("refined offsets are dropped: positions are those picked")
        return rest
    if wanted.pixel_size_a is None:
        raise FileError(
            out, "offsets are in particle pixels; give the pixel size of the micrographs (--pixel-size)"
        )
    ratio = pixel_size(Table(rows, "3.0", out, "")) / wanted.pixel_size_a
    said.append("refined offsets are applied: coordinate minus offset, in pixels of the micrograph")
    moved = {
        axis: rounded(rows[axis] - rows[origin] * ratio)
        for axis, origin in zip((X, Y), _ORIGINS, strict=True)
    }
    return rest.assign(**moved)


def _moved(
    out: Path, rows: pd.DataFrame, wanted: Wanted, micrographs: Micrographs | None, said: list[str]
) -> pd.DataFrame:
    if wanted.scale != 1:
        said.append(f"coordinates are multiplied by {wanted.scale:g}")
        rows = rows.assign(**{axis: rounded(rows[axis] * wanted.scale) for axis in (X, Y)})
    if not wanted.flip_y:
        said.append("y is not flipped")
        return rows
    if micrographs is None:
        raise FileError(out, "a flip needs the height of the micrographs; give them with --micrographs")
    heights = {name: micrographs.shape(name)[0] for name in rows[NAME].unique()}
    said.append("y is flipped: height - 1 - y")
    height = rows[NAME].map(heights).to_numpy(np.float64)
    return rows.assign(**{Y: rounded(height - 1 - rows[Y].to_numpy(np.float64))})


def _written(
    out: Path, rows: pd.DataFrame, wanted: Wanted, needs: Needs, micrographs: Micrographs | None
) -> list[Path]:
    kind, style = wanted.kind, FORMATS[wanted.kind]
    names = list(dict.fromkeys(rows[NAME])) if style.one_each else []
    if not style.one_each or out.suffix == style.ending:
        if len(names) > 1:
            raise FileError(out, f"is one file, and the picks are of {len(names)} micrographs; give a folder")
        write_picks(kind, out, rows, needs)
        return [out]
    check_one_file_each(out, names, "file")
    files = {name: _file(out, name, style.ending, kind) for name in names}
    for name, own in rows.groupby(NAME, sort=False):
        write_picks(kind, files[str(name)], own, needs)
    lists = _write_lists(out, files, wanted.project, micrographs) if kind == "relion" else []
    return [*files.values(), *lists]


def _file(out: Path, name: str, ending: str, kind: str) -> Path:
    if kind == "relion":
        return micrograph_file(out, name, ending)
    return out / (Path(stem_below_job(name)).name + ending)


def _write_lists(
    out: Path, files: Mapping[str, Path], project: Path, micrographs: Micrographs | None
) -> list[Path]:
    """RELION 4's list of coordinate files, and RELION 3's where there is a table of micrographs."""
    written = [_relative(file, project) for file in files.values()]
    table = pd.DataFrame({NAME: list(files), "rlnMicrographCoordinates": written})
    write_star(out / _LIST, {"coordinate_files": table}, "3.1")
    if micrographs is None or micrographs.table is None:
        return [out / _LIST]
    write_suffix_file(out / _SUFFIX, micrographs.table)
    return [out / _LIST, out / _SUFFIX]


def _relative(path: Path, project: Path) -> str:
    path, project = path.absolute(), project.absolute()
    return str(path.relative_to(project) if path.is_relative_to(project) else path)


def kind_of(out: Path, given: str | None, rows: pd.DataFrame) -> str:
    """Return the format to write: as requested, or by the file extension.

    Raises
    ------
    CryoflowError
        When neither gives one.
    """
    if given is not None:
        return given
    particles = IMAGE in rows.columns
    by_ending = {
        style.ending: kind for kind, style in reversed(FORMATS.items()) if style.ending.startswith(".")
    }
    by_ending |= {
        ".star": "star31" if particles and "rlnOpticsGroup" in rows.columns else "star",
        ".csv": "csv",
        ".json": "json",
    }
    if out.suffix in by_ending:
        return by_ending[out.suffix]
    raise CryoflowError(f"{out}: its extension names no format; choose one with --to: {', '.join(FORMATS)}")
