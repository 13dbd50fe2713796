"""Diagrams of bars: histograms over each other, and named values below each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from cryoflow.view.pictures import AXES, BACKGROUND, INK, TITLE, Colour

Values = npt.NDArray[np.float64]

COLOURS: tuple[Colour, ...] = ((250, 214, 90), (90, 150, 230))
"""Of the first and the second series."""
_LEFT, _TOP, _BOTTOM = 60, 46, 24


class Histogram(NamedTuple):
    """Counts of one or two kinds over the same bins."""

    title: str
    x: Values
    """Middles of the bins, ascending and even."""
    series: tuple[tuple[str, Values], ...]
    """Name and counts of each; a later one is drawn as a line over the first."""


def draw_histogram(shown: Histogram, width: int = 620, height: int = 260) -> Image.Image:
    """Draw a histogram, with the highest count at the left and the outer bins below."""
    picture = Image.new("RGB", (width, height), BACKGROUND)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(11)
    left, top, right, bottom = _LEFT, _TOP, width - 14, height - _BOTTOM
    draw.text((left, 6), shown.title, fill=TITLE, font=ImageFont.load_default(13))
    most = max(1.0, *(float(np.nanmax(counts)) for _, counts in shown.series))
    step = (right - left) / len(shown.x)
    for number, (name, counts) in enumerate(shown.series):
        heights = bottom - np.nan_to_num(counts) / most * (bottom - top)
        draw.text((left + 150 * number, 26), name, fill=COLOURS[number], font=font)
        edges = left + step * np.arange(len(heights) + 1)
        if number == 0:
            for x, y in zip(edges[:-1].tolist(), heights.tolist(), strict=True):
                draw.rectangle((x, y, x + step - 1, bottom), fill=COLOURS[0])
        else:
            corners = zip(np.repeat(edges, 2)[1:-1].tolist(), np.repeat(heights, 2).tolist(), strict=True)
            draw.line([*corners], fill=COLOURS[number], width=2)
    draw.line((left, bottom, right, bottom), fill=AXES)
    draw.text((left - 6, top), f"{most:.5g}", fill=INK, font=font, anchor="ra")
    for x, value in ((left + step / 2, shown.x[0]), (right - step / 2, shown.x[-1])):
        draw.text((x, bottom + 5), f"{value:.3g}", fill=INK, font=font, anchor="ma")
    return picture


def draw_named(title: str, names: Sequence[str], values: Values, width: int = 620) -> Image.Image:
    """Draw values of at least 0 as bars to the right, each with its name and number."""
    line, left = 18, 170
    picture = Image.new("RGB", (width, 30 + line * len(names)), BACKGROUND)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(11)
    draw.text((left, 6), title, fill=TITLE, font=ImageFont.load_default(13))
    most = max(float(values.max(initial=0)), 1e-9)
    for place, (name, value) in enumerate(zip(names, values.tolist(), strict=True)):
        y = 30 + place * line
        end = left + value / most * (width - left - 70)
        draw.text((left - 6, y + line // 2), name, fill=INK, font=font, anchor="rm")
        draw.rectangle((left, y + 3, end, y + line - 4), fill=COLOURS[0])
        draw.text((end + 6, y + line // 2), f"{value:.3g}", fill=INK, font=font, anchor="lm")
    return picture


def below_each_other(pictures: Sequence[Image.Image]) -> Image.Image:
    """Stack pictures."""
    height = sum(one.height for one in pictures)
    whole = Image.new("RGB", (max(one.width for one in pictures), height), BACKGROUND)
    top = 0
    for one in pictures:
        whole.paste(one, (0, top))
        top += one.height
    return whole
