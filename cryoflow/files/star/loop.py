"""Reading the loop blocks of a STAR file: column names, then one row per line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.star.lines import Lines
from cryoflow.files.star.values import column

_MARK = "\0"  # ends a row while all rows are split at once; no STAR file has this character


class _Rows(NamedTuple):
    columns: list[list[str]]
    lines: Sequence[int]  # the line of each row


def read_loop(lines: Lines, start: int, end: int) -> pd.DataFrame:
    """Read a table, column names and rows, from the line after ``loop_`` to before line `end`."""
    labels, start = _header(lines, start, end)
    rows = _rows(lines, start, lines.strip_blank(start, end), len(labels))

    def wrong(row: int, message: str) -> FileError:
        return lines.error(rows.lines[row], message)

    pairs = zip(labels, rows.columns, strict=True)
    return pd.DataFrame({label: column(values, label, wrong) for label, values in pairs})


def _header(lines: Lines, start: int, end: int) -> tuple[list[str], int]:
    labels: dict[str, None] = {}  # ordered, and quick to look up
    index = lines.skip_blank(start, end)
    while index < end and lines[index].lstrip().startswith("_"):
        name, *rest = lines[index].split()
        label = name[1:]
        if not label or (rest and not rest[0].startswith("#")):
            raise lines.error(index, f"expected a column name and its number, found {lines[index].strip()!r}")
        if not label.isprintable():
            raise lines.error(index, f"the column name {label!a} is no text (UTF-8)")
        if label in labels:
            raise lines.error(index, f"the column {label} is named twice")
        labels[label] = None
        index = lines.skip_blank(index + 1, end)
    if not labels:
        raise lines.error(start - 1, "loop_ without column names")
    return list(labels), index


def _rows(lines: Lines, start: int, end: int, width: int) -> _Rows:
    body = f" {_MARK} ".join(lines.lines[start:end])
    if start < end and not any(character in body for character in "\"'#"):
        found = [*body.split(), _MARK]
        step = width + 1
        if len(found) == step * (end - start) and found[width::step] == [_MARK] * (end - start):
            return _Rows([found[i::step] for i in range(width)], range(start, end))
    return _rows_one_by_one(lines, start, end, width)


def _rows_one_by_one(lines: Lines, start: int, end: int, width: int) -> _Rows:
    said = [index for index in range(start, end) if not lines.is_blank(index)]
    found = [word for index in said for word in _row(lines, index, width)]
    return _Rows([found[i::width] for i in range(width)], said)


def _row(lines: Lines, index: int, width: int) -> list[str]:
    row = lines.words(index)
    if len(row) == width:
        return row
    if row[:1] == ["loop_"]:
        raise lines.error(index, "a second loop_ in one block; put a line 'data_<name>' before it")
    hint = "was the file cut off?" if len(row) < width else "quote a value that contains spaces"
    values, columns = _count(len(row), "value"), _count(width, "column")
    raise lines.error(index, f"{values} where the loop has {columns}; {hint}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
