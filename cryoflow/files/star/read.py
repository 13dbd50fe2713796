"""Strict reading of STAR files; errors give the line."""

from __future__ import annotations

from os import PathLike

from cryoflow.errors import FileError
from cryoflow.files.star.lines import Lines
from cryoflow.files.star.loop import read_loop
from cryoflow.files.star.types import Block, Scalar
from cryoflow.files.star.values import scalar


def read_star(path: str | PathLike[str]) -> dict[str, Block]:
    """Read all blocks of a STAR file, as written by RELION 2 to 5 and related programs.

    A loop becomes a table, a list of keys and values a dictionary, a block with neither an empty dictionary.
    A file of comments alone, as RELION 3.0 writes a table without rows, has no blocks. Names come without
    ``data_`` and without the leading underscore. Columns that hold names (``rlnMicrographName`` ...) are
    text, even if they look like numbers; numbers are int64 or float64.

    Raises
    ------
    FileError
        When the file cannot be read, is not a STAR file, or has an invalid line: a row of the wrong length,
        a column named twice, a word where RELION has a number, values outside a block ...
    """
    lines = Lines(path)
    starts = [index for index, line in enumerate(lines.lines) if "data_" in line and _is_block(line)]
    if not starts:
        if lines.skip_blank(0, len(lines)) == len(lines):
            return {}
        raise _not_star(lines)
    first = lines.skip_blank(0, starts[0])
    if first < starts[0]:
        raise lines.error(first, "a value before the first block; put a line 'data_' before it")
    blocks: dict[str, Block] = {}
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        name = lines[start].split()[0].removeprefix("data_")
        if name in blocks:
            raise lines.error(start, f"a second block data_{name}; give each block its own name")
        blocks[name] = _block(lines, start + 1, end)
    return blocks


def _is_block(line: str) -> bool:
    first, *rest = line.split()
    # a path such as data_1/a.mrc at the start of a row is not a block
    return first.startswith("data_") and "/" not in first and (not rest or rest[0].startswith("#"))


def _not_star(lines: Lines) -> FileError:
    said = [line.strip() for index, line in enumerate(lines.lines) if not lines.is_blank(index)]
    if len(said) == 1 and said[0].endswith(".star"):
        message = f"not a STAR table but one line that names another STAR file, {said[0]}"
        return FileError(lines.path, f"{message}; give this file only as the coordinates of a picking job")
    return FileError(lines.path, "not a STAR file: it has no line that begins with data_")


def _block(lines: Lines, start: int, end: int) -> Block:
    start = lines.skip_blank(start, end)
    if start == end:
        return {}
    first = lines[start].split()[0]
    if first == "loop_":
        return read_loop(lines, start + 1, end)
    return _simple(lines, start, end)


def _simple(lines: Lines, start: int, end: int) -> dict[str, Scalar]:
    block: dict[str, Scalar] = {}
    for index in range(start, end):
        if lines.is_blank(index):
            continue
        key, *values = lines.words(index)
        label = key[1:]
        if not key.startswith("_") or not label:
            raise lines.error(index, f"{key!r} is outside a loop; is a line 'loop_' missing?")
        if label in block:
            raise lines.error(index, f"{label} is given twice")
        if len(values) > 1:
            raise lines.error(index, f"{len(values)} values for {label}; quote a value that contains spaces")
        block[label] = _value(lines, index, label, values)
    return block


def _value(lines: Lines, index: int, label: str, values: list[str]) -> Scalar:
    if not values:
        return ""
    return scalar(values[0], label, lambda _, message: lines.error(index, message))
