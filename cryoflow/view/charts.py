"""Common parts of the charts: matplotlib without a display or the user's settings, figures as pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

Values = npt.NDArray[np.float64]

DPI = 100
COLOURS = ("#3b75af", "#d9822b")
"""Colours of the first and the second series."""

_STYLE = {
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.formatter.useoffset": False,
    "font.size": 9,
    "grid.color": "#dddddd",
    "legend.edgecolor": "none",
}


@contextmanager
def chart_style() -> Iterator[None]:
    """Use the same settings everywhere, whatever a ``matplotlibrc`` says."""
    with style.context(["default", _STYLE]):
        yield


def make_axes(rows: int, columns: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with a grid of axes, row by row; width and height of each axes' cell in pixels."""
    figure = Figure((columns * width / DPI, rows * height / DPI), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def rendered(figure: Figure) -> Image.Image:
    """Draw a figure into an RGB picture."""
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def label_axes(axes: Axes, title: str, x: str, y: str) -> None:
    """Set the title and the axis labels, with units."""
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def whole_ticks(axis: Axis, values: Values) -> None:
    """Put ticks at whole numbers where all values are whole: iterations, counts."""
    if (values == np.rint(values)).all():
        axis.set_major_locator(MaxNLocator(integer=True))


def below_each_other(pictures: Sequence[Image.Image]) -> Image.Image:
    """Stack pictures vertically on white."""
    height = sum(one.height for one in pictures)
    whole = Image.new("RGB", (max(one.width for one in pictures), height), "white")
    top = 0
    for one in pictures:
        whole.paste(one, (0, top))
        top += one.height
    return whole
