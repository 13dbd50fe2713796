"""Pictures of a sweep: every result over the points, and one micrograph with the picks of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from cryoflow.files.coordinates import read_coordinates
from cryoflow.files.mrc import read_header, read_image
from cryoflow.view.charts import chart_style, make_axes, rendered
from cryoflow.view.curves import PANEL
from cryoflow.view.grid import Grid, draw_cells, draw_line, grid_of
from cryoflow.view.pictures import (
    BACKGROUND,
    INK,
    SMOOTHING_A,
    micrograph_picture,
    side_by_side,
    value_colours,
)

TILES, TILE = 24, 420
"""Maximum number of points in the picture of picks, and longer side of a micrograph in it, pixels."""

WIDEST = 1800
"""Of a row of charts, pixels."""

_CELL, _LINE = (56, 26), 16


def draw_grid(table: pd.DataFrame, varied: Sequence[str], shown: Sequence[str]) -> Image.Image:
    """Draw a chart a result: a curve where one field varies, else a cell a point, darker for higher values.

    Parameters
    ----------
    table : DataFrame
        One row a point.
    varied : sequence of str
        Columns that tell the points apart; at least one.
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


def spread(count: int) -> list[int]:
    """Return which points to show in the picture of picks, evenly spread."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(TILES, count)).tolist()})


def draw_picks(
    project: Path,
    micrograph: str,
    coordinates: Sequence[Path],
    captions: Sequence[str],
    radius_px: Sequence[float],
) -> Image.Image:
    """Draw one micrograph as often as there are points, with the picks of each.

    Parameters
    ----------
    project : Path
        Absolute project root.
    micrograph : str
        Project-relative.
    coordinates : sequence of Path
        Picks of each point to show, see `spread`.
    captions : sequence of str
        What each point is.
    radius_px : sequence of float
        Radius of circles, micrograph pixels, a point.
    """
    image = read_image(project / micrograph)
    resolution = SMOOTHING_A / (read_header(project / micrograph).pixel_size or 1.0)
    ground = micrograph_picture(image, None, TILE, resolution)
    scale = ground.width / image.shape[1]
    points = zip(coordinates, captions, radius_px, strict=True)
    tiles = [_tile(ground, *point, scale) for point in points]
    across = min(6, max(1, round(np.sqrt(1.5 * len(tiles)))))
    rows = [
        side_by_side(tiles[first : first + across], tiles[0].height) for first in range(0, len(tiles), across)
    ]
    picture = Image.new("RGB", (rows[0].width, sum(row.height + 4 for row in rows)), BACKGROUND)
    for place, row in enumerate(rows):
        picture.paste(row, (0, place * (row.height + 4)))
    return picture


def _tile(
    ground: Image.Image, coordinates: Path, caption: str, radius_px: float, scale: float
) -> Image.Image:
    tile = Image.new("RGB", (ground.width, ground.height + _LINE), BACKGROUND)
    tile.paste(ground, (0, _LINE))
    draw = ImageDraw.Draw(tile)
    table = read_coordinates(coordinates)
    values = table.get("rlnAutopickFigureOfMerit")
    colours = value_colours(np.ones(len(table)) if values is None else values.to_numpy(float), 1.0, 0.0)
    radius = max(2.0, radius_px * scale)
    xy = (table[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(float) + 0.5) * scale - 0.5
    for (x, y), colour in zip(xy, colours, strict=True):
        box = (x - radius, y + _LINE - radius, x + radius, y + _LINE + radius)
        draw.ellipse(box, outline=colour)
    draw.rectangle((0, 0, tile.width, _LINE), fill=BACKGROUND)
    draw.text((2, 2), f"{caption}: {len(table)}", fill=INK, font=ImageFont.load_default(11))
    return tile
