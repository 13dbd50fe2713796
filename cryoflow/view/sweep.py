"""Pictures of a sweep: every result over the grid of points, and one micrograph with each point's picks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from cryoflow.files.coordinates import read_coordinates
from cryoflow.files.mrc import read_header, read_image
from cryoflow.view.pictures import (
    BACKGROUND,
    INK,
    SMOOTHING_A,
    TITLE,
    beside,
    micrograph_picture,
    value_colours,
)

Floats = npt.NDArray[np.float64]

TILES, TILE = 24, 420
"""Most points in the picture of picks, and the longer side of a micrograph in it, pixels."""

_CELL, _LINE, _GAP, _TITLE_SIZE = (64, 20), 16, 14, 13
_DARK, _BRIGHT = np.array((38, 44, 60)), np.array((250, 214, 90))


class Grid(NamedTuple):
    """Results over points: the values of the last field to the right, all others downwards."""

    columns: list[str]
    rows: list[str]
    places: list[tuple[int, int]]
    """Row and column of every point."""


def draw_grid(table: pd.DataFrame, varied: Sequence[str], shown: Sequence[str]) -> Image.Image:
    """Draw a panel a result, a cell a point, brighter for higher values.

    Parameters
    ----------
    table : DataFrame
        One row a point.
    varied : sequence of str
        Columns that tell the points apart.
    shown : sequence of str
        Columns with results; numbers.
    """
    grid = grid_of(table, varied)
    head = f"{' x '.join(varied[:-1])}, down; {varied[-1]}, to the right" if len(varied) > 1 else varied[0]
    title = ImageFont.load_default(_TITLE_SIZE)
    least = 8 + max((round(title.getlength(name)) for name in shown), default=0)
    panels = [_panel(name, head, table[name].to_numpy(float), grid, least) for name in shown]
    across = max(1, min(len(panels), 1800 // max(1, panels[0].width))) if panels else 1
    width, height = (panels[0].width, panels[0].height) if panels else (300, 40)
    down = -(-len(panels) // across)
    picture = Image.new("RGB", (across * (width + _GAP), max(1, down) * (height + _GAP)), BACKGROUND)
    for place, panel in enumerate(panels):
        row, column = divmod(place, across)
        picture.paste(panel, (column * (width + _GAP), row * (height + _GAP)))
    return picture


def grid_of(table: pd.DataFrame, varied: Sequence[str]) -> Grid:
    """Lay the points out."""
    right = [_text(value) for value in table[varied[-1]]]
    down = [" ".join(map(_text, row)) for row in table[list(varied[:-1])].itertuples(index=False)]
    columns, rows = list(dict.fromkeys(right)), list(dict.fromkeys(down))
    places = [(rows.index(d), columns.index(r)) for d, r in zip(down, right, strict=True)]
    return Grid(columns, rows, places)


def _panel(name: str, head: str, values: Floats, grid: Grid, least: int) -> Image.Image:
    font = ImageFont.load_default(11)
    left = 12 + max(round(font.getlength(text)) for text in [*grid.rows, ""])
    width = max(left + _CELL[0] * len(grid.columns), round(font.getlength(head)) + 8, least)
    picture = Image.new("RGB", (width, 3 * _LINE + 8 + _CELL[1] * len(grid.rows)), BACKGROUND)
    draw, top = ImageDraw.Draw(picture), 3 * _LINE + 4
    draw.text((4, 2), name.replace("_", " "), fill=TITLE, font=ImageFont.load_default(_TITLE_SIZE))
    draw.text((4, _LINE + 2), head, fill=INK, font=font)
    for place, text in enumerate(grid.columns):
        draw.text((left + (place + 0.5) * _CELL[0], 2 * _LINE + 4), text, fill=INK, font=font, anchor="ma")
    for place, text in enumerate(grid.rows):
        draw.text((4, top + place * _CELL[1] + 4), text, fill=INK, font=font)
    low, high = (float(f(values)) if np.isfinite(values).any() else 0.0 for f in (np.nanmin, np.nanmax))
    for value, (row, column) in zip(values, grid.places, strict=True):
        x, y = left + column * _CELL[0], top + row * _CELL[1]
        if np.isfinite(value):
            share = (value - low) / (high - low) if high > low else 0.5
            colour = tuple(np.rint(_DARK + share * (_BRIGHT - _DARK)).astype(int).tolist())
            draw.rectangle((x + 1, y + 1, x + _CELL[0] - 2, y + _CELL[1] - 2), fill=colour)
            ink = (20, 20, 20) if share > 0.5 else INK
            draw.text((x + _CELL[0] / 2, y + 4), _text(float(value)), fill=ink, font=font, anchor="ma")
    return picture


def spread(count: int) -> list[int]:
    """Return which of so many points to show in the picture of picks, evenly spread."""
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
    rows = [beside(tiles[first : first + across], tiles[0].height) for first in range(0, len(tiles), across)]
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


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
