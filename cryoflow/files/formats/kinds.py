"""The known formats, and recognition of a file's format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.formats.columns import read_columns, write_csv, write_topaz, write_via
from cryoflow.files.formats.cryolo import read_cbox, write_cbox
from cryoflow.files.formats.cryosparc import read_cs, write_cs
from cryoflow.files.formats.eman import read_box, read_json, write_box, write_json
from cryoflow.files.formats.picks import NAME, Picks, X, Y
from cryoflow.files.formats.relion import read_relion, write_picked, write_relion

ONE_EACH = {".box": read_box, ".cbox": read_cbox, ".json": read_json}
"""Extensions of files of one micrograph, and their readers."""
COLUMNS = frozenset({".txt", ".tab", ".tsv", ".csv"})
"""Extensions of text tables."""


class Needs(NamedTuple):
    """Data that some formats need besides the picks."""

    box_px: float | None = None
    shape_of: Callable[[str], tuple[int, int]] | None = None
    """Height and width in pixels of a micrograph by its name."""


class Format(NamedTuple):
    """A format that can be written."""

    text: str
    ending: str
    one_each: bool
    """One file per micrograph, in a folder."""
    write: Callable[[Path, pd.DataFrame, Needs], None]


def _box(needs: Needs) -> float:
    assert needs.box_px is not None
    return needs.box_px


def _write_cs(path: Path, rows: pd.DataFrame, needs: Needs) -> None:
    if needs.shape_of is None:
        raise FileError(path, "fractions need the size of the micrographs; give them with --micrographs")
    write_cs(path, rows, needs.shape_of)


FORMATS: dict[str, Format] = {
    "star": Format(
        "one STAR table without optics groups, for every RELION",
        ".star",
        False,
        lambda path, rows, _: write_relion(path, rows, "3.0"),
    ),
    "star31": Format(
        "one STAR table, particles with optics groups (RELION 3.1 and later)",
        ".star",
        False,
        lambda path, rows, _: write_relion(path, rows, "3.1"),
    ),
    "relion": Format(
        "a folder of STAR files as picking jobs have it, with the list of them",
        "_picks.star",
        True,
        lambda path, rows, _: write_picked(path, rows),
    ),
    "box": Format(
        "a folder of EMAN boxes", ".box", True, lambda path, rows, needs: write_box(path, rows, _box(needs))
    ),
    "json": Format(
        "a folder of EMAN2 info files", "_info.json", True, lambda path, rows, _: write_json(path, rows)
    ),
    "cbox": Format(
        "a folder of crYOLO boxes with confidence",
        ".cbox",
        True,
        lambda path, rows, needs: write_cbox(path, rows, _box(needs)),
    ),
    "topaz": Format(
        "Topaz's table, separated by tabs", ".txt", False, lambda path, rows, _: write_topaz(path, rows)
    ),
    "via": Format(
        "Topaz's CSV of points (VGG Image Annotator)",
        ".csv",
        False,
        lambda path, rows, _: write_via(path, rows),
    ),
    "csv": Format(
        "a plain table micrograph,x,y,...", ".csv", False, lambda path, rows, _: write_csv(path, rows)
    ),
    "cs": Format("cryoSPARC's array", ".cs", False, _write_cs),
}
"""By the name that ``cryoflow convert --to`` takes."""
BOXED = frozenset({"box", "cbox"})
"""Formats that need the size of the boxes."""


def read_picks(path: Path, passthrough: Sequence[Path] = (), pixel_size_a: float | None = None) -> Picks:
    """Read a file of picks or particles; the extension gives the program, for STAR files the columns.

    Raises
    ------
    FileError
        When the file cannot be read, or is in none of the formats.
    """
    ending = path.suffix.lower()
    if ending == ".cs":
        return read_cs(path, passthrough)
    if ending in ONE_EACH:
        return ONE_EACH[ending](path)
    if ending in COLUMNS:
        return read_columns(path)
    if ending == ".star":
        return read_relion(path, pixel_size_a)
    known = ".star, .box, .cbox, .json, .txt, .csv and .cs"
    raise FileError(path, f"is not in a known format of picks; known extensions are {known}")


def write_picks(kind: str, path: Path, rows: pd.DataFrame, needs: Needs) -> None:
    """Write picks in a format of `FORMATS`; of one micrograph if the format has one file for each.

    Raises
    ------
    FileError
        When the rows lack what the format needs, or the file cannot be written.
    """
    wanted = (X, Y) if FORMATS[kind].one_each else (NAME, X, Y)
    missing = [name for name in wanted if name not in rows.columns]
    if missing:
        raise FileError(path, f"cannot be written: the picks have no {', '.join(missing)}")
    FORMATS[kind].write(path, rows, needs)
