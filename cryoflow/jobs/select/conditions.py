"""The ``selection`` section: conditions on rows, each reported with its counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.mrc import split_image_name
from cryoflow.project.context import JobContext
from cryoflow.spec.selection import Bounds, Selection

Mask = npt.NDArray[np.bool_]


class Condition(NamedTuple):
    """One condition in words, and the rows that meet it."""

    text: str
    keep: Mask


class Source(NamedTuple):
    """Rows to select from, their source, and what to call them."""

    rows: pd.DataFrame
    path: Path
    unit: str


def numbers(source: Source, column: str) -> npt.NDArray[np.float64]:
    """A column as numbers.

    Raises
    ------
    FileError
        When it is missing or not numeric.
    """
    if column not in source.rows.columns:
        have = ", ".join(map(str, source.rows.columns))
        raise FileError(source.path, f"lacks the column {column}; it has {have}")
    try:
        return source.rows[column].to_numpy(np.float64, copy=True)
    except ValueError as error:
        raise FileError(source.path, f"{column} is not a column of numbers: {error}") from None


def within(source: Source, column: str, low: float | None, high: float | None) -> Condition:
    """Rows whose value lies between two bounds, both included."""
    values = numbers(source, column)
    keep = np.ones(len(values), dtype=bool)
    if low is not None:
        keep &= values >= low
    if high is not None:
        keep &= values <= high
    if low is None or high is None:
        text = f"{column} >= {low:g}" if high is None else f"{column} <= {high:g}"
    else:
        text = f"{low:g} <= {column} <= {high:g}"
    unknown = int(np.isnan(values).sum())
    return Condition(text + (f" ({unknown} have none)" if unknown else ""), keep)


def quantiles(source: Source, column: str, low: float | None, high: float | None) -> Condition:
    """Rows between two quantiles of a column, both included; rows without a value (NaN) never are."""
    values = numbers(source, column)
    known = values[~np.isnan(values)]
    keep, texts = ~np.isnan(values), []
    for share, sign, beyond in ((low, 1, ">="), (high, -1, "<=")):
        if share is not None and known.size:
            limit = _quantile(known, share, "higher" if sign > 0 else "lower")
            keep &= sign * values >= sign * limit
            texts.append(f"{beyond} {limit:.6g} (quantile {share:g})")
    return Condition(f"{column} {' and '.join(texts) or 'has no values'}", keep)


def _quantile(values: npt.NDArray[np.float64], share: float, side: Literal["lower", "higher"]) -> float:
    """A quantile between two values, or the value on one side of it where the other is infinite."""
    beside = [float(np.quantile(values, share, method=method)) for method in ("lower", "higher")]
    if beside[0] == beside[1] or not np.isfinite(beside).all():
        return beside[0] if side == "lower" else beside[1]
    return float(np.quantile(values, share))


def best(source: Source, column: str, n: int, ascending: bool) -> Condition:
    """The ``n`` rows with the lowest (``ascending``) or highest values; the first of equal ones."""
    keep = np.zeros(len(source.rows), dtype=bool)
    keep[_order(source, column, ascending)[:n]] = True
    return Condition(f"the {n} with the {'lowest' if ascending else 'highest'} {column}", keep)


def above(source: Source, image: str, column: str, ascending: bool) -> Condition:
    """All rows up to and including the named image, in the order of a column ("Select all above").

    Raises
    ------
    FileError
        When no row has that image.
    """
    if "rlnImageName" not in source.rows.columns:
        raise FileError(source.path, "lacks the column rlnImageName, which selection > above needs")
    wanted = split_image_name(image)
    named = [split_image_name(str(name)) == wanted for name in source.rows["rlnImageName"]]
    if not any(named):
        raise FileError(source.path, f"has no image {image}; correct selection > above")
    order = _order(source, column, ascending)
    keep = np.zeros(len(order), dtype=bool)
    keep[order[: int(np.flatnonzero(np.asarray(named)[order])[0]) + 1]] = True
    return Condition(f"at or above {image} by {column}", keep)


def _order(source: Source, column: str, ascending: bool) -> npt.NDArray[np.intp]:
    values = numbers(source, column)
    return np.argsort(values if ascending else -values, kind="stable")


def row_conditions(selection: Selection, source: Source) -> list[Condition]:
    """All conditions of the section on rows, except those on classes and rows listed in a file."""
    found = column_conditions(selection.columns or {}, source)
    if selection.top is not None:
        top = selection.top
        found.append(best(source, top.by, top.n, top.ascending))
    if selection.above is not None:
        found.append(above(source, selection.above, selection.sort_by, selection.ascending))
    return found


def column_conditions(columns: dict[str, Bounds], source: Source) -> list[Condition]:
    """Conditions on ranges of columns, by value and by quantile."""
    found = []
    for name, bounds in columns.items():
        if (bounds.min, bounds.max) != (None, None):
            found.append(within(source, name, bounds.min, bounds.max))
        if (bounds.min_quantile, bounds.max_quantile) != (None, None):
            found.append(quantiles(source, name, bounds.min_quantile, bounds.max_quantile))
    return found


def combine(conditions: Sequence[Condition], length: int, invert: bool) -> Mask:
    """Rows that meet all conditions; with ``invert`` the others. Without conditions: all rows."""
    keep = np.ones(length, dtype=bool)
    for condition in conditions:
        keep &= condition.keep
    return ~keep if invert and conditions else keep


def report_conditions(
    context: JobContext, conditions: Iterable[Condition], keep: Mask, unit: str, invert: bool
) -> None:
    """Report how many rows meet each condition, and how many are kept."""
    for condition in conditions:
        context.report.say(f"{condition.text}: {int(condition.keep.sum())} of {len(keep)} {unit}")
    inverted = " (inverted)" if invert else ""
    line = f"kept{inverted} {int(keep.sum())} of {len(keep)} {unit}"
    (context.report.say if keep.any() else context.report.warn)(line)
