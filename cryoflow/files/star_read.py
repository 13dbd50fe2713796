"""Reading STAR files: strict about structure, with the line of whatever is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import NamedTuple, NoReturn

import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.atomic import read_bytes
from cryoflow.files.star_types import Block, Scalar
from cryoflow.files.star_values import column, scalar, words

_MARK = "\0"  # ends a row while rows are split all at once; a file with this character is refused before


def read_star(path: str | PathLike[str]) -> dict[str, Block]:
    """Read all blocks of a STAR file, as RELION 2 to 5 and their companions write it.

    A loop becomes a table, a list of keys and values a dictionary, a block with neither an empty dictionary.
    Names come without ``data_`` and without the leading underscore. Columns that hold names
    (``rlnMicrographName`` ...) are text, even if they look like numbers; numbers are int64 or float64.

    Raises
    ------
    FileError
        When the file cannot be read, is not a STAR file, or has a wrong line: a row of the wrong length,
        a column named twice, a word where RELION has a number, values outside a block ...
    """
    text = _decode(read_bytes(path), path)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    reader = _Reader(path, lines)
    starts = [index for index, line in enumerate(lines) if "data_" in line and _is_block(line)]
    if not starts:
        reader.not_star()
    reader.refuse_values(0, starts[0])
    blocks: dict[str, Block] = {}
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        name = lines[start].split()[0].removeprefix("data_")
        if name in blocks:
            raise reader.error(start, f"a second block data_{name}; give each block its own name")
        blocks[name] = reader.block(start + 1, end)
    return blocks


def _decode(content: bytes, path: str | PathLike[str]) -> str:
    if not content.strip():
        raise FileError(path, "the file is empty")
    if b"\0" in content:
        raise FileError(path, "not a STAR file: it is binary")
    return content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def _is_block(line: str) -> bool:
    first, *rest = line.split()
    # a path such as data_1/a.mrc at the start of a row is no block
    return first.startswith("data_") and "/" not in first and (not rest or rest[0].startswith("#"))


def _is_blank(line: str) -> bool:
    stripped = line.lstrip()
    return not stripped or stripped.startswith("#")


class _Rows(NamedTuple):
    columns: list[list[str]]
    lines: Sequence[int]  # index of the line of each row


class _Reader:
    """The lines of one file, and errors that say which of them is wrong."""

    def __init__(self, path: str | PathLike[str], lines: list[str]) -> None:
        self.path, self.lines = path, lines

    def error(self, index: int, message: str) -> FileError:
        return FileError(self.path, message, index + 1)

    def not_star(self) -> NoReturn:
        said = [line.strip() for line in self.lines if not _is_blank(line)]
        if len(said) == 1 and said[0].endswith(".star"):
            message = f"not a STAR table but one line that names another STAR file, {said[0]}"
            raise FileError(self.path, f"{message}; give this file only as the coordinates of a picking job")
        raise FileError(self.path, "not a STAR file: it has no line that begins with data_")

    def refuse_values(self, start: int, end: int) -> None:
        for index in range(start, end):
            if not _is_blank(self.lines[index]):
                raise self.error(index, "a value before the first block; put a line 'data_' before it")

    def words(self, index: int) -> list[str]:
        try:
            return words(self.lines[index])
        except ValueError as error:
            raise self.error(index, str(error)) from error

    def block(self, start: int, end: int) -> Block:
        start = self.skip(start, end)
        if start == end:
            return {}
        first = self.lines[start].split()[0]
        if first == "loop_":
            return self.loop(start + 1, end)
        if first.startswith("_"):
            return self.simple(start, end)
        raise self.error(start, f"expected 'loop_' or a name that begins with '_', found {first!r}")

    def skip(self, start: int, end: int) -> int:
        while start < end and _is_blank(self.lines[start]):
            start += 1
        return start

    def simple(self, start: int, end: int) -> dict[str, Scalar]:
        block: dict[str, Scalar] = {}
        for index in range(start, end):
            if _is_blank(self.lines[index]):
                continue
            key, *values = self.words(index)
            if not key.startswith("_"):
                raise self.error(
                    index,
                    f"{key!r} is neither a name that begins with '_' nor in a loop; is 'loop_' missing?",
                )
            label = key[1:]
            if label in block:
                raise self.error(index, f"{label} is given twice")
            if len(values) > 1:
                raise self.error(index, f"{len(values)} values for {label}; quote a value that holds blanks")
            block[label] = self.value(index, label, values)
        return block

    def value(self, index: int, label: str, values: list[str]) -> Scalar:
        if not values:
            return ""
        return scalar(values[0], label, lambda _, message: self.error(index, message))

    def loop(self, start: int, end: int) -> pd.DataFrame:
        labels, start = self.header(start, end)
        while end > start and _is_blank(self.lines[end - 1]):
            end -= 1
        rows = self.rows(start, end, len(labels))

        def wrong(row: int, message: str) -> FileError:
            return self.error(rows.lines[row], message)

        pairs = zip(labels, rows.columns, strict=True)
        return pd.DataFrame({label: column(values, label, wrong) for label, values in pairs})

    def header(self, start: int, end: int) -> tuple[list[str], int]:
        labels: list[str] = []
        index = self.skip(start, end)
        while index < end and self.lines[index].lstrip().startswith("_"):
            name, *rest = self.lines[index].split()
            label = name[1:]
            if rest and not rest[0].startswith("#"):
                raise self.error(index, f"a value after the column name {label} of a loop")
            if label in labels:
                raise self.error(index, f"the column {label} is named twice")
            labels.append(label)
            index = self.skip(index + 1, end)
        if not labels:
            raise self.error(start - 1, "loop_ without columns")
        return labels, index

    def rows(self, start: int, end: int, width: int) -> _Rows:
        body = f" {_MARK} ".join(self.lines[start:end])
        if start < end and not any(character in body for character in "\"'#"):
            found = [*body.split(), _MARK]
            step = width + 1
            if found[width::step] == [_MARK] * (end - start) and len(found) == step * (end - start):
                return _Rows([found[i::step] for i in range(width)], range(start, end))
        return self.rows_one_by_one(start, end, width)

    def rows_one_by_one(self, start: int, end: int, width: int) -> _Rows:
        found: list[str] = []
        numbers: list[int] = []
        for index in range(start, end):
            if not _is_blank(self.lines[index]):
                found += self.row(index, width)
                numbers.append(index)
        return _Rows([found[i::width] for i in range(width)], numbers)

    def row(self, index: int, width: int) -> list[str]:
        row = self.words(index)
        if len(row) == width:
            return row
        if row[0] == "loop_":
            raise self.error(index, "a second loop_ in one block; put a line 'data_<name>' before it")
        hint = "was the file cut off?" if len(row) < width else "quote a value that holds blanks"
        s = "" if len(row) == 1 else "s"
        columns = "1 column" if width == 1 else f"{width} columns"
        raise self.error(index, f"{len(row)} value{s} where the loop has {columns}; {hint}")
