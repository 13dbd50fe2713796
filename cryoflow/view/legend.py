"""The strip below a micrograph: its name, the count of picks, colour scale, circles and scale bar."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cryoflow.view.pictures import BACKGROUND, INK, value_colours

LINE, MARGIN = 16, 4
"""Height of a line and width of the margin, pixels."""
LINES = 3
_BAR = 80
"""Width of the colour scale, pixels."""
_NM = 10.0
"""A per nanometre."""


class Legend(NamedTuple):
    """Content of the strip."""

    name: str
    picks: int | None
    """None if there are several tiles with different picks."""
    pixel_a: float
    """Pixel size of the picture, A."""
    diameter_a: float
    """Diameter of the circles, A."""
    scale: tuple[float, float] | None = None
    """Figures of merit drawn fully red and fully blue; None where picks have none."""


def legend_height() -> int:
    """Height of the strip, pixels."""
    return LINES * LINE + 2 * MARGIN


def with_legend(picture: Image.Image, legend: Legend) -> Image.Image:
    """Return the picture with the strip below it; the picture itself keeps its place."""
    whole = Image.new("RGB", (picture.width, picture.height + legend_height()), BACKGROUND)
    whole.paste(picture, (0, 0))
    draw, top = ImageDraw.Draw(whole), picture.height + MARGIN
    count = "" if legend.picks is None else f": {legend.picks} pick{'' if legend.picks == 1 else 's'}"
    name = fitted(legend.name, picture.width - 2 * MARGIN - _width(count))
    _text(draw, MARGIN, top, name + count)
    if legend.scale is not None:
        _colour_scale(draw, top + LINE, *legend.scale)
    _scale_bar(draw, top + 2 * LINE, picture.width, legend)
    return whole


def fitted(text: str, width: float) -> str:
    """Return the text, shortened in the middle if it is wider than this many pixels."""
    kept = len(text)
    short = text
    while _width(short) > width and kept > 2:
        kept -= 1
        short = f"{text[: kept // 2]}…{text[len(text) - (kept - kept // 2) :]}"
    return short


def bar_length_a(width_a: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is at most a quarter of the width."""
    power = 10.0 ** np.floor(np.log10(width_a / 4))
    return float(max(step * power for step in (1, 2, 5) if step * power <= width_a / 4))


def _colour_scale(draw: ImageDraw.ImageDraw, top: int, red: float, blue: float) -> None:
    colours = value_colours(np.linspace(0, 1, _BAR), 1.0, 0.0)
    for x, colour in enumerate(colours, MARGIN):
        draw.line((x, top + 3, x, top + 11), fill=colour)
    _text(draw, MARGIN + _BAR + 6, top, f"figure of merit {red:.3g} to {blue:.3g}")


def _scale_bar(draw: ImageDraw.ImageDraw, top: int, width: int, legend: Legend) -> None:
    length_a = bar_length_a(width * legend.pixel_a)
    length = round(length_a / legend.pixel_a)
    draw.rectangle((MARGIN, top + 6, MARGIN + length - 1, top + 8), fill=INK)
    text = f"{length_a / _NM:g} nm;  circles: {legend.diameter_a:.3g} A"
    _text(draw, MARGIN + length + 6, top, text)


def _text(draw: ImageDraw.ImageDraw, x: int, top: int, text: str) -> None:
    draw.text((x, top), text, fill=INK, font=ImageFont.load_default(11))


def _width(text: str) -> float:
    return float(ImageFont.load_default(11).getlength(text))
