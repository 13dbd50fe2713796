"""Results over the points of a sweep: a curve where one field varies, else a map of cells."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cryoflow.spec import SPEC_CLASSES
from cryoflow.spec.describe import field_rows
from cryoflow.view.charts import Values, label_axes
from cryoflow.view.curves import Curve, draw_curve

UNITS = {"seconds": "s"}
"""Units of results; those of fields are in their declarations."""

_SYMBOLS = {"A": "Å", "deg": "degrees"}

_LABEL_WIDTH = 24
"""Maximum number of characters per line of an axis label."""


class Grid(NamedTuple):
    """Results over points: the last field varies along x, all others along y."""

    columns: list[str]
    rows: list[str]
    places: list[tuple[int, int]]
    """Row and column of every point."""


def grid_of(table: pd.DataFrame, varied: Sequence[str]) -> Grid:
    """Arrange the points."""
    right = [as_text(value) for value in table[varied[-1]]]
    down = [" ".join(map(as_text, row)) for row in table[list(varied[:-1])].to_numpy(object)]
    columns, rows = list(dict.fromkeys(right)), list(dict.fromkeys(down))
    places = [(rows.index(d), columns.index(r)) for d, r in zip(down, right, strict=True)]
    return Grid(columns, rows, places)


def draw_line(axes: Axes, name: str, table: pd.DataFrame, field: str) -> None:
    """Draw a result over the values of one field; values that are not numbers are in the table's order."""
    numbers = pd.api.types.is_numeric_dtype(table[field].dtype)
    rows = table.sort_values(field, kind="stable") if numbers else table
    x = rows[field].to_numpy(float) if numbers else np.arange(float(len(rows)))
    y = rows[name].to_numpy(float)
    draw_curve(axes, Curve(as_words(name), x, y, with_unit(field), with_unit(name)))
    if not numbers:
        axes.set_xticks(x, [as_text(value) for value in rows[field]])


def draw_cells(axes: Axes, name: str, values: Values, grid: Grid, varied: Sequence[str]) -> None:
    """Draw one cell per point with its value, darker for higher values; white without a value."""
    cells = np.full((len(grid.rows), len(grid.columns)), np.nan)
    for value, place in zip(values, grid.places, strict=True):
        cells[place] = value
    image = axes.imshow(np.ma.masked_invalid(cells), cmap="Blues", aspect="auto")
    low, high = image.get_clim() if np.isfinite(cells).any() else (0.0, 1.0)
    for (row, column), value in np.ndenumerate(cells):
        if np.isfinite(value):
            dark = value - low > 0.6 * (high - low) > 0
            ink = "white" if dark else "black"
            axes.text(column, row, as_text(float(value)), ha="center", va="center", color=ink, fontsize=8)
    axes.set_xticks(range(len(grid.columns)), grid.columns)
    axes.set_yticks(range(len(grid.rows)), grid.rows)
    axes.grid(visible=False)
    down = " × ".join(map(with_unit, varied[:-1]))
    right = fill(with_unit(varied[-1]), _LABEL_WIDTH)
    label_axes(axes, with_unit(name), right, fill(down, _LABEL_WIDTH))


def with_unit(name: str) -> str:
    """Return a field's or result's name with its unit where it has one, e.g. ``seconds (s)``."""
    declared = {row.unit for job in SPEC_CLASSES for row in field_rows(job) if row.name == name}
    unit = declared.pop() if len(declared) == 1 else UNITS.get(name)
    return f"{as_words(name)} ({_SYMBOLS.get(unit, unit)})" if unit else as_words(name)


def as_words(name: str) -> str:
    """Return a column's name as words."""
    return name.replace("_", " ")


def as_text(value: Any) -> str:
    """Return a value as an axis label: numbers with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
