"""The results of a sweep over its points."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from PIL import Image

from cryoflow.view.charts import chart_style, make_axes, rendered
from cryoflow.view.curves import PANEL
from cryoflow.view.grid import Grid, draw_cells, draw_line, grid_of

WIDEST = 1800
"""Maximum width of a row of charts, pixels."""

_CELL = (56, 26)
"""Width and height of a cell, pixels."""


def draw_grid(table: pd.DataFrame, varied: Sequence[str], shown: Sequence[str]) -> Image.Image:
    """Draw one chart per result: a curve if one field varies, else one cell per point, darker for high
    values.

    Parameters
    ----------
    table : DataFrame
        One row per point.
    varied : sequence of str
        Columns that distinguish the points; at least one.
    shown : sequence of str
        Columns with results, numbers; at least one.
    """
    grid = grid_of(table, varied)
    curves = len(varied) == 1
    width, height = PANEL if curves else _cells_size(grid)
    across = min(len(shown), max(1, WIDEST // width))
    with chart_style():
        figure, panels = make_axes(-(-len(shown) // across), across, width, height)
        for axes, name in zip(panels, shown, strict=False):
            if curves:
                draw_line(axes, name, table, varied[0])
            else:
                draw_cells(axes, name, table[name].to_numpy(float), grid, varied)
        for empty in panels[len(shown) :]:
            empty.remove()
        return rendered(figure)


def _cells_size(grid: Grid) -> tuple[int, int]:
    """Return width and height of a map of cells with its labels, pixels."""
    longest = max(map(len, grid.rows))
    width = 110 + 6 * longest + max(_CELL[0], 7 * max(map(len, grid.columns))) * len(grid.columns)
    return max(width, 260), max(220, 80 + _CELL[1] * len(grid.rows))
