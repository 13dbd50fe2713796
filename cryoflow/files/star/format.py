"""Formatting of numbers and text in STAR files."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

_NEEDS_QUOTES = re.compile(r"\s|\0|^$|^[_#;\"']|^(data_|loop_)")
_SOME_NEED_QUOTES = ("\0", " _", " #", " ;", ' "', " '", " data_", " loop_")  # of words after spaces
_UNQUOTABLE = re.compile(r"[\n\r\0]")
_LARGE = 1e9  # six decimals of larger numbers are beyond the 15 digits of a double
_EXACT, _TIE = 1e6, 1e-3  # below the first a millionth is good to much less than the second
_SMALL = 1e-3  # six decimals of smaller numbers are too few digits


def cell(value: Any) -> str:
    """Return text as one word, a number as `number` does, a missing value as RELION's ``None``.

    Raises
    ------
    ValueError
        When text cannot be quoted so that it reads back unchanged.
    """
    if isinstance(value, str):
        return _text(value)
    return "None" if value is None else number(value)


def cells(values: list[Any]) -> list[str]:
    """`cell` of each value; faster if all are words that need no quotes."""
    if all(isinstance(value, str) for value in values):
        line = " ".join(["", *values])
        if line.split() == values and not any(mark in line for mark in _SOME_NEED_QUOTES):
            return values
    return [cell(value) for value in values]


def _text(value: str) -> str:
    if not _NEEDS_QUOTES.search(value):
        return value
    quote = "'" if '"' in value else '"'
    if quote in value or _UNQUOTABLE.search(value):
        raise ValueError(f"{value!r} cannot be quoted in a STAR file")
    return f"{quote}{value}{quote}"


def number(value: float) -> str:
    """Return a number 12 characters wide: an integer, six decimals or scientific notation.

    Exact for values of up to 12 significant digits, so that what was read from a table is written back
    unchanged; longer ones, which come out of a computation, are rounded to six decimals or seven digits.
    """
    if isinstance(value, int | np.integer | np.bool_):
        return f"{int(value):12d}"
    value = float(value)
    if not math.isfinite(value) or (abs(value) < _LARGE and float(f"{value:.6f}") == value):
        return f"{value:12.6f}"
    for short in (f"{value:12.6e}", f"{value:12.12g}"):
        if float(short) == value:
            return short
    return f"{value:12.6f}" if _SMALL <= abs(value) < _LARGE else f"{value:12.6e}"


def float_column(values: npt.NDArray[np.float64]) -> tuple[str, list[Any]]:
    """Return a format for ``%`` and its values, one per entry: the text of `number`, but faster."""
    codes, bits = pd.factorize(values.view(np.int64))  # distinguishes 0 from -0
    if 4 * len(bits) <= len(values):
        form, entries = _distinct_floats(bits.view(np.float64))
        texts = [form % entry for entry in entries]
        return "%s", [texts[code] for code in codes.tolist()]
    return _distinct_floats(values)


def _distinct_floats(values: npt.NDArray[np.float64]) -> tuple[str, list[Any]]:
    plain = _is_plain(values)
    if plain.all():
        return "%12.6f", values.tolist()
    pairs = zip(values.tolist(), plain.tolist(), strict=True)
    return "%s", [f"{value:12.6f}" if is_plain else number(value) for value, is_plain in pairs]


def as_written(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return numbers as they come back from a file that they are written to."""
    plain = _is_plain(values)
    plain &= np.abs(values) < _EXACT
    millionths = np.where(plain, values, 0.0) * 1e6
    sure = plain & (np.abs(millionths - np.floor(millionths) - 0.5) > _TIE)  # which way it is rounded
    read = np.rint(millionths) / 1e6
    for place in np.flatnonzero(~sure):
        read[place] = float(number(values[place]))
    return read


def _is_plain(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return which values are written with six decimals; a few such values may be missed."""
    return _has_six_decimals(values) | (_is_mid_sized(values) & ~_may_be_short(values))


def _has_six_decimals(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    with np.errstate(over="ignore", invalid="ignore"):
        exact = np.equal(np.rint(values * 1e6) / 1e6, values) & (np.abs(values) < _LARGE)
    return np.logical_or(exact, ~np.isfinite(values))


def _is_mid_sized(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    return (np.abs(values) >= _SMALL) & (np.abs(values) < _LARGE)


def _may_be_short(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return which mid-sized values may have 12 significant digits or fewer (a few others are included)."""
    middle = np.where(_is_mid_sized(values), np.abs(values), 1.0)
    scaled = middle * 10.0 ** (11 - np.floor(np.log10(middle)))
    return np.abs(scaled - np.rint(scaled)) < 2e-3
