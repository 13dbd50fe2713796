"""EMAN: ``.box`` files of corners, and the centres in the ``info/*_info.json`` of EMAN2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.atomic import read_bytes, write_bytes
from cryoflow.files.formats.picks import SCORE, Picks, X, Y, from_boxes, real, rounded, text, to_corners

_BOXES = (
    "EMAN boxes: x and y of the lower corner, width, height; the centre is the corner plus half a box",
    "the origin is the first pixel of the MRC file, as in RELION; boxes picked on TIFF need a flip in y",
)
_FILAMENT = (-1, -2)
"""Fifth column of boxes at the ends of a filament; EMAN 1 writes -3 for particles."""
_JSON = ("EMAN2 info: x and y of the centre; the origin is the first pixel of the MRC file, as in RELION",)


def read_box(path: Path) -> Picks:
    """Read a ``.box`` file, of EMAN or of crYOLO: x, y, width, height and perhaps more on each line.

    Raises
    ------
    FileError
        When a line has no such box, or the file holds ends of filaments (fifth column -1 or -2).
    """
    found = [_box(path, *numbered) for numbered in content_lines(path)]
    boxes = np.array([box[:4] for box in found], np.float64).reshape(-1, 4)
    if any(len(box) > 4 and box[4] in _FILAMENT for box in found):
        raise FileError(path, "holds ends of filaments (fifth column -1 and -2), not particles")
    rows, box_px = from_boxes(boxes[:, :2], boxes[:, 2:])
    return Picks(rows, _BOXES, box_px)


def write_box(path: Path, rows: pd.DataFrame, box_px: float) -> None:
    """Write the boxes of one micrograph, separated by tabs."""
    size = text(box_px)
    lines = [f"{text(x)}\t{text(y)}\t{size}\t{size}\n" for x, y in to_corners(rows, box_px).tolist()]
    write_bytes(path, "".join(lines).encode())


def read_json(path: Path) -> Picks:
    """Read the ``boxes`` of an EMAN2 info file: ``[[x, y, "manual"], [x, y, "auto", score], ...]``.

    Raises
    ------
    FileError
        When the file is not JSON or has no such list.
    """
    boxes = _content(path).get("boxes")
    if not isinstance(boxes, list):
        raise FileError(path, "has no list of boxes; is it the info file of a micrograph (info/*_info.json)?")
    found = [_entry(path, number, box) for number, box in enumerate(boxes, 1)]
    rows = pd.DataFrame([entry[:2] for entry in found], columns=[X, Y], dtype=float)
    scores = [entry[2] for entry in found]
    if found and all(score is not None for score in scores):
        rows[SCORE] = np.array(scores, np.float64)
    return Picks(rows, _JSON)


def write_json(path: Path, rows: pd.DataFrame) -> None:
    """Write the boxes of one micrograph as an EMAN2 info file; other entries of an existing one are kept."""
    scores = rows[SCORE].tolist() if SCORE in rows.columns else None
    boxes: list[list[Any]] = [[x, y, "manual"] for x, y in rounded(rows[[X, Y]]).tolist()]
    if scores is not None:
        boxes = [[x, y, "auto", score] for (x, y, _), score in zip(boxes, scores, strict=True)]
    content = _content(path) if path.exists() else {}
    write_bytes(path, (json.dumps({**content, "boxes": boxes}, indent=0) + "\n").encode())


def content_lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines of a text file with their numbers, without empty ones and comments."""
    lines = enumerate(read_bytes(path).decode("utf-8", "replace").splitlines(), 1)
    return [(number, line) for number, line in lines if line.strip() and not line.lstrip().startswith("#")]


def _box(path: Path, number: int, line: str) -> list[float]:
    try:
        values = [float(word) for word in line.split()]
    except ValueError:
        values = []
    if len(values) < 4 or not all(map(np.isfinite, values[:4])):
        raise FileError(path, "expected x, y, width and height of a box", number)
    return values


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_bytes(path))
    except ValueError as error:
        raise FileError(path, f"is not a JSON file: {error}") from None
    if not isinstance(content, dict):
        raise FileError(path, "is not an info file of EMAN2: it is not a JSON object")
    return content


def _entry(path: Path, number: int, box: Any) -> tuple[float, float, float | None]:
    if not isinstance(box, list) or len(box) < 2:
        raise FileError(path, f"box {number} is {box!r}, not [x, y, ...]")
    x, y = (real(path, value, f"{axis} of box {number}") for value, axis in zip(box, "xy", strict=False))
    score = box[3] if len(box) > 3 and isinstance(box[3], int | float) else None
    return x, y, None if score is None else float(score)
