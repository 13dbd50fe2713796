"""One micrograph with the picks of each point of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from cryoflow.files.coordinates import read_coordinates
from cryoflow.files.mrc import read_image
from cryoflow.view.diameter import particle_diameter_a
from cryoflow.view.draw import read_settings
from cryoflow.view.legend import Legend, fitted, with_legend
from cryoflow.view.picks import (
    PickedMicrograph,
    choose,
    circles_of,
    colour_scale,
    micrograph_pixel_a,
    read_micrograph_list,
)
from cryoflow.view.pictures import (
    BACKGROUND,
    INK,
    SMOOTHING_A,
    draw_circles,
    micrograph_picture,
    save,
    side_by_side,
)

TILES, TILE = 24, 420
"""Maximum number of points in the picture, and longer side of a micrograph in it, pixels."""
_LINE = 16


class SweepPoint(NamedTuple):
    """A point of a sweep of picking jobs."""

    directory: Path
    """Job directory of the point."""
    caption: str
    """Values that distinguish it."""


class _Ground(NamedTuple):
    """The micrograph that all tiles show."""

    picture: Image.Image
    factor: int
    """Micrograph pixels per pixel of the picture."""
    pixel_a: float
    """Pixel size of the micrograph."""
    diameter_a: float
    scale: tuple[float, float] | None


def draw_sweep_picks(
    directory: Path, project: Path, points: Sequence[SweepPoint], wanted: Sequence[str] | None
) -> list[Path]:
    """Draw micrographs once per point, with the picks of each.

    Parameters
    ----------
    directory, project : Path
        Of the sweep, absolute.
    points : sequence of SweepPoint
        At least one; at most `TILES` of them are shown, evenly spread.
    wanted : sequence of str, optional
        Micrographs as `choose` finds them, all if empty; by default the first with picks, as ``picks.png``.
    """
    shown = [points[place] for place in spread(len(points))]
    known = read_micrograph_list(shown[0].directory, project)
    picks = {point: _coordinates(point, project) for point in shown}
    if wanted is None:
        first = next((one for one in known if any(one.name in found for found in picks.values())), None)
        chosen = [] if first is None else [first._replace(picture="picks.png")]
    else:
        chosen = choose(known, wanted) if wanted else known
    return [save(_picture(one, project, picks), directory / one.picture) for one in chosen]


def spread(count: int) -> list[int]:
    """Return which points to show, evenly spread."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(TILES, count)).tolist()})


def _coordinates(point: SweepPoint, project: Path) -> dict[str, Path]:
    known = read_micrograph_list(point.directory, project)
    return {one.name: one.coordinates for one in known if one.coordinates is not None}


def _picture(one: PickedMicrograph, project: Path, picks: dict[SweepPoint, dict[str, Path]]) -> Image.Image:
    tables = {
        point: read_coordinates(files[one.name]) if one.name in files else None
        for point, files in picks.items()
    }
    found = [table for table in tables.values() if table is not None]
    ground = _ground(one, project, next(iter(picks)), colour_scale(found))
    tiles = [_tile(ground, point, table) for point, table in tables.items()]
    across = min(6, max(1, round(np.sqrt(1.5 * len(tiles)))))
    rows = [
        side_by_side(tiles[first : first + across], tiles[0].height) for first in range(0, len(tiles), across)
    ]
    picture = Image.new("RGB", (rows[0].width, sum(row.height + 4 for row in rows)), BACKGROUND)
    for place, row in enumerate(rows):
        picture.paste(row, (0, place * (row.height + 4)))
    about = (ground.pixel_a * ground.factor, ground.diameter_a, ground.scale)
    return with_legend(picture, Legend(PurePosixPath(one.name).name, None, *about))


def _ground(
    one: PickedMicrograph, project: Path, point: SweepPoint, scale: tuple[float, float] | None
) -> _Ground:
    pixel_a = micrograph_pixel_a(project / one.name, one.pixel_a)
    image = read_image(project / one.name)
    picture = micrograph_picture(image, None, TILE, SMOOTHING_A / pixel_a)
    diameter_a = particle_diameter_a(read_settings(point.directory), project)
    return _Ground(picture, image.shape[1] // picture.width, pixel_a, diameter_a, scale)


def _tile(ground: _Ground, point: SweepPoint, table: pd.DataFrame | None) -> Image.Image:
    drawn = ground.picture.copy()
    circles = circles_of(table, ground.diameter_a / 2 / ground.pixel_a, ground.scale)
    draw_circles(ImageDraw.Draw(drawn), circles, ground.factor, 1)
    tile = Image.new("RGB", (drawn.width, drawn.height + _LINE), BACKGROUND)
    tile.paste(drawn, (0, _LINE))
    count = f": {len(circles.xy)}"
    text = fitted(point.caption, tile.width - 4 - 8 * len(count)) + count
    ImageDraw.Draw(tile).text((2, 2), text, fill=INK, font=ImageFont.load_default(11))
    return tile
