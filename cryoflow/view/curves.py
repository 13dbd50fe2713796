"""Small diagrams, one a curve, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from cryoflow.view.pictures import AXES, BACKGROUND, INK, TITLE

Values = npt.NDArray[np.float64]

PANEL, LEFT, TOP, BOTTOM = (420, 180), 74, 26, 24
"""Width and height of a diagram, and what is left of them beside the axes."""
_LINE = (250, 214, 90)


class Curve(NamedTuple):
    """Values over a common x."""

    title: str
    x: Values
    """Ascending; numbered at its two ends."""
    y: Values
    """What is not finite is left out."""


def draw_curves(curves: Sequence[Curve], columns: int = 2) -> Image.Image:
    """Draw each curve into a diagram of its own, with the range of its values at the left."""
    rows = -(-len(curves) // columns)
    picture = Image.new("RGB", (columns * PANEL[0], rows * PANEL[1]), BACKGROUND)
    for place, curve in enumerate(curves):
        row, column = divmod(place, columns)
        _panel(ImageDraw.Draw(picture), curve, column * PANEL[0], row * PANEL[1])
    return picture


def _panel(draw: ImageDraw.ImageDraw, curve: Curve, left: int, top: int) -> None:
    font = ImageFont.load_default(11)
    frame = (left + LEFT, top + TOP, left + PANEL[0] - 14, top + PANEL[1] - BOTTOM)
    draw.text((frame[0], top + 6), curve.title, fill=TITLE, font=ImageFont.load_default(13))
    draw.rectangle(frame, outline=AXES)
    finite = np.isfinite(curve.y)
    x, y = curve.x[finite], curve.y[finite]
    if not len(x):
        return
    low, high = float(y.min()), float(y.max())
    points = [*zip(*_places(x, y, frame), strict=True)]
    if len(points) > 1:
        draw.line(points, fill=_LINE, width=2)
    for px, py in points:
        draw.ellipse((px - 2, py - 2, px + 2, py + 2), fill=_LINE)
    draw.text((frame[0] - 6, frame[1]), f"{high:.5g}", fill=INK, font=font, anchor="ra")
    if low < high:
        draw.text((frame[0] - 6, frame[3]), f"{low:.5g}", fill=INK, font=font, anchor="rs")
    draw.text((points[0][0], frame[3] + 5), f"{x[0]:g}", fill=INK, font=font, anchor="ma")
    if len(points) > 1:
        draw.text((points[-1][0], frame[3] + 5), f"{x[-1]:g}", fill=INK, font=font, anchor="ma")


def _places(x: Values, y: Values, frame: tuple[int, int, int, int]) -> tuple[list[float], list[float]]:
    """Where points go: the range of values fills the frame but for a margin; a single value is centred."""

    def along(values: Values, first: float, last: float) -> list[float]:
        low, span = values.min(), np.ptp(values)
        share = (values - low) / span if span > 0 else np.full(len(values), 0.5)
        return [float(place) for place in first + share * (last - first)]

    return along(x, frame[0] + 10, frame[2] - 10), along(y, frame[3] - 8, frame[1] + 8)
