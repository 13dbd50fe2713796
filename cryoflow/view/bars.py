"""Charts of bars: overlaid histograms, and bars of named values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.ticker import MaxNLocator
from PIL import Image

from cryoflow.view.charts import COLOURS, Values, chart_style, label_axes, make_axes, rendered

_MARKS = ("-", "--", ":")
"""Line styles of the marks, in order."""


class Histogram(NamedTuple):
    """One or two histograms over the same bins."""

    title: str
    x: Values
    """Bin centres, ascending and evenly spaced."""
    series: tuple[tuple[str, Values], ...]
    """Name and counts of each; a later one is drawn as a line over the first."""
    x_label: str = ""
    y_label: str = "count"
    marks: tuple[tuple[str, float], ...] = ()
    """Name and place on x of vertical lines."""


def draw_histogram(shown: Histogram, width: int = 620, height: int = 300) -> Image.Image:
    """Draw a histogram, with a legend where there are several series or marks."""
    step = float(shown.x[1] - shown.x[0]) if len(shown.x) > 1 else 1.0
    edges = np.append(shown.x - step / 2, shown.x[-1] + step / 2)
    with chart_style():
        figure, (axes,) = make_axes(1, 1, width, height)
        for number, (name, counts) in enumerate(shown.series):
            filled = number == 0
            line = 0.0 if filled else 1.8
            heights = np.nan_to_num(counts)
            axes.stairs(heights, edges, label=name, color=COLOURS[number], fill=filled, linewidth=line)
        for (name, place), style in zip(shown.marks, _MARKS, strict=False):
            axes.axvline(place, label=name, color="black", linewidth=1.2, linestyle=style)
        axes.set_xlim(*_limits(edges, shown.marks))
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        label_axes(axes, shown.title, shown.x_label, shown.y_label)
        if len(shown.series) + len(shown.marks) > 1:
            axes.legend()
        return rendered(figure)


def _limits(edges: Values, marks: Sequence[tuple[str, float]]) -> tuple[float, float]:
    """Return the range of the bins, widened to hold the marks."""
    places = [place for _, place in marks]
    return min([edges[0], *places]), max([edges[-1], *places])


def draw_named(
    title: str, names: Sequence[str], values: Values, width: int = 620, x_label: str = ""
) -> Image.Image:
    """Draw values of at least 0 as bars to the right, each with its name and number."""
    with chart_style():
        figure, (axes,) = make_axes(1, 1, width, 80 + 20 * len(names))
        bars = axes.barh(np.arange(len(names)), values, color=COLOURS[0], height=0.7)
        axes.bar_label(bars, [f"{value:.3g}" for value in values], padding=4)
        axes.set_yticks(np.arange(len(names)), names)
        axes.grid(axis="y", visible=False)
        axes.invert_yaxis()
        axes.margins(x=0.1)
        label_axes(axes, title, x_label, "")
        return rendered(figure)
