"""Tables of picks as text: Topaz's, those of the VGG Image Annotator that Topaz takes, and plain CSV."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.atomic import read_bytes, write_bytes
from cryoflow.files.formats.picks import CLASS, NAME, PSI, SCORE, Picks, X, Y, real, rounded, text

_KNOWN = {
    NAME: (NAME, "micrograph", "micrograph_name", "image_name", "image", "filename", "file"),
    X: (X, "x_coord", "x", "coordinate_x", "center_x", "x_px"),
    Y: (Y, "y_coord", "y", "coordinate_y", "center_y", "y_px"),
    SCORE: (SCORE, "score", "fom", "figure_of_merit", "confidence"),
    PSI: (PSI, "psi", "psi_deg", "angle"),
    CLASS: (CLASS, "class", "class_number"),
}
_CENTRES = "x and y of the centre in pixels, from the first pixel of the MRC file, as in RELION"
_VIA = ("filename", "region_shape_attributes")


class _Table(NamedTuple):
    """Column names and the rows with their line numbers."""

    header: list[str]
    rows: list[tuple[int, list[str]]]


def read_columns(path: Path) -> Picks:
    """Read a table of picks of many micrographs (or of one), separated by tabs, commas or spaces.

    The first line names the columns: Topaz's ``image_name x_coord y_coord score``, the same words as RELION
    has, or plain ``micrograph,x,y,score,psi,class`` of which only x and y are needed.

    Raises
    ------
    FileError
        Naming the line where a column is missing or a value is not a number.
    """
    table = _split(path)
    if set(_VIA) <= set(table.header):
        return _read_via(path, table)
    lower = [name.strip().lower().removeprefix("_") for name in table.header]
    places = {
        label: next((lower.index(name.lower()) for name in names if name.lower() in lower), None)
        for label, names in _KNOWN.items()
    }
    if places[X] is None or places[Y] is None:
        found = ", ".join(table.header[:6])
        raise FileError(
            path, f"its first line must name columns, x_coord and y_coord (or x and y); it has {found}", 1
        )
    columns: dict[str, Any] = {}
    for label, place in places.items():
        if place is not None:
            columns[label] = [_value(path, line, row[place], label) for line, row in table.rows]
    rows = pd.DataFrame(columns)
    whose = "Topaz" if "image_name" in lower else "a table"
    return Picks(_typed(rows), (f"{whose}: {_CENTRES}",))


def write_topaz(path: Path, rows: pd.DataFrame) -> None:
    """Write Topaz's table: names without extension, x, y and score, separated by tabs."""
    columns = {"image_name": [_stem(name) for name in rows[NAME]], "x_coord": rows[X], "y_coord": rows[Y]}
    if SCORE in rows.columns:
        columns["score"] = rows[SCORE]
    _write(path, columns, "\t")


def write_via(path: Path, rows: pd.DataFrame) -> None:
    """Write the CSV of the VGG Image Annotator that Topaz's GUI and ``topaz convert`` read."""
    counts, seen = rows[NAME].value_counts(), dict[str, int]()
    lines = []
    for row in rows.to_dict("records"):
        name = str(row[NAME])
        number = seen[name] = seen.get(name, -1) + 1
        point = {"name": "point", "cx": row[X], "cy": row[Y]}
        score = {"score": row[SCORE]} if SCORE in row else {}
        lines.append(
            [f"{_stem(name)}.png", -1, "{}", counts[name], number, json.dumps(point), json.dumps(score)]
        )
    head = (
        "filename file_size file_attributes region_count region_id region_shape_attributes region_attributes"
    )
    _write_lines(path, [head.split(), *lines], ",")


def write_csv(path: Path, rows: pd.DataFrame) -> None:
    """Write ``micrograph,x,y`` and those of ``score,psi,class`` that exist."""
    names = {NAME: "micrograph", X: "x", Y: "y", SCORE: "score", PSI: "psi", CLASS: "class"}
    _write(path, {name: rows[label] for label, name in names.items() if label in rows.columns}, ",")


def _split(path: Path) -> _Table:
    content = read_bytes(path).decode("utf-8-sig", "replace")
    head = next((line for line in content.splitlines() if line.strip() and not line.startswith("#")), "")
    if not head:
        raise FileError(path, "holds no table: it is empty")
    mark = next((mark for mark in "\t,;" if mark in head), None)
    lines = [line for line in content.splitlines() if not line.startswith("#")]
    numbers = [number for number, line in enumerate(content.splitlines(), 1) if not line.startswith("#")]
    rows = [line.split() for line in lines] if mark is None else list(csv.reader(lines, delimiter=mark))
    (_, header), *rest = [(n, row) for n, row in zip(numbers, rows, strict=True) if any(map(str.strip, row))]
    for number, row in rest:
        if len(row) != len(header):
            raise FileError(
                path, f"{len(row)} values where the first line names {len(header)} columns", number
            )
    return _Table([name.strip() for name in header], rest)


def _value(path: Path, line: int, value: str, label: str) -> str | float:
    return value.strip() if label == NAME else real(path, value.strip(), label, line)


def _read_via(path: Path, table: _Table) -> Picks:
    name, shape = (table.header.index(column) for column in _VIA)
    attributes = table.header.index("region_attributes") if "region_attributes" in table.header else None
    found = []
    for line, row in table.rows:
        region = _json(path, line, row[shape])
        if not region:
            continue  # an image without regions has its own row
        x, y = (real(path, region.get(axis), axis, line) for axis in ("cx", "cy"))
        score = _json(path, line, row[attributes]).get("score") if attributes is not None else None
        found.append((_stem(row[name]), x, y, score))
    rows = pd.DataFrame(found, columns=[NAME, X, Y, SCORE])
    if rows[SCORE].isna().any() or not len(rows):
        rows = rows.drop(columns=SCORE)
    return Picks(_typed(rows), (f"VIA points of Topaz: {_CENTRES}",))


def _json(path: Path, line: int, value: str) -> dict[str, Any]:
    try:
        content = json.loads(value or "{}")
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise FileError(path, f"{value!r} is not a set of names and values", line)
    return content


def _typed(rows: pd.DataFrame) -> pd.DataFrame:
    types = {NAME: str, CLASS: np.int64}
    typed = {name: rows[name].astype(types.get(str(name), np.float64)) for name in rows.columns}
    return pd.DataFrame({**typed, X: rounded(typed[X]), Y: rounded(typed[Y])})


def _stem(name: str) -> str:
    file = Path(name).name
    return (
        Path(file).stem
        if Path(file).suffix.lower() in {".mrc", ".mrcs", ".tif", ".tiff", ".png", ".jpg", ".jpeg"}
        else file
    )


def _write(path: Path, columns: dict[str, Any], mark: str) -> None:
    rows = zip(*columns.values(), strict=True)
    cells = [[value if isinstance(value, str) else text(value) for value in row] for row in rows]
    _write_lines(path, [list(columns), *cells], mark)


def _write_lines(path: Path, lines: list[list[Any]], mark: str) -> None:
    target = io.StringIO()
    csv.writer(target, delimiter=mark, lineterminator="\n").writerows(lines)
    write_bytes(path, target.getvalue().encode("utf-8", "surrogateescape"))
