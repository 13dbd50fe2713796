"""Conversion of the words of a STAR file to numbers and text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.star.labels import kind_of
from cryoflow.files.star.types import Scalar

#: A table of plain arrays is made in a third of the time that one of Series takes.
Column: TypeAlias = np.ndarray | pd.api.extensions.ExtensionArray | pd.Series

_WORD = re.compile(r"\"[^\"]*\"(?!\S)|'[^']*'(?!\S)|\S+")
_PADDED = re.compile(r"[+-]?0\d")
_EMPTY_DTYPES = {"int": "int64", "float": "float64", "unknown": "float64"}


def words(line: str) -> list[str]:
    """Split a line at spaces, keeping quoted words together and dropping a comment.

    Raises
    ------
    ValueError
        When a quote is not closed.
    """
    return list(_words(line))


def _words(line: str) -> Iterator[str]:
    for word in _WORD.findall(line):
        if word.startswith("#"):
            return
        if word[0] not in "\"'":
            yield word
        elif len(word) > 1 and word[-1] == word[0]:
            yield word[1:-1]
        else:
            raise ValueError(f"the quote before {word[1:]} is not closed")


def column(values: Sequence[str], label: str, wrong: Callable[[int, str], FileError]) -> Column:
    """Convert the words of one column to text, int64 or float64, by its label or else by its values.

    Parameters
    ----------
    values : sequence of str
    label : str
        Name of the column, e.g. ``"rlnImageName"``.
    wrong : callable
        Makes the error for a value, from its index and a message.

    Raises
    ------
    FileError
        When a column that RELION knows as numbers holds something else.
    """
    kind = kind_of(label)
    if kind == "text":
        return _text(values)
    if not values:
        return np.array([], _EMPTY_DTYPES[kind])
    numbers = _numbers(values, kind)
    if numbers is not None:
        return numbers
    if kind == "unknown":
        return _text(values)
    index = next(i for i, value in enumerate(values) if _numbers([value], kind) is None)
    raise wrong(index, f"{label} is {values[index]!r}, not a number")


def scalar(value: str, label: str, wrong: Callable[[int, str], FileError]) -> Scalar:
    """Convert one word to text, an integer or a float; as `column` does."""
    result: Scalar = column([value], label, wrong).tolist()[0]
    return result


def _text(values: Sequence[str]) -> Column:
    try:
        return pd.array(values, dtype="str")
    except UnicodeEncodeError:  # a file name that is not UTF-8 cannot be in an Arrow column
        return pd.Series(values, dtype=object)


def _numbers(values: Sequence[str], kind: str) -> np.ndarray | None:
    whole = None if kind == "float" else _convert(values, int, np.int64)
    if whole is not None:
        padded = kind == "unknown" and any(map(_PADDED.match, values))  # "007" is a name, not seven
        return None if padded else whole
    real = _convert(values, float, np.float64)
    if real is None or kind != "int" or not _is_whole(real):
        return real
    return real.astype(np.int64)


def _is_whole(values: np.ndarray) -> bool:
    return bool(np.all(np.equal(values, np.trunc(values)) & (np.abs(values) < 2**53)))


def _convert(values: Sequence[str], number: type, dtype: type) -> np.ndarray | None:
    try:
        result: np.ndarray = np.fromiter(map(number, values), dtype=dtype, count=len(values))
    except (ValueError, OverflowError):
        return None
    return None if "_" in "".join(values) else result  # Python reads 1_000 as a number, RELION does not
