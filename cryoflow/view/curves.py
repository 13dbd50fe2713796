"""Small charts next to each other, one per curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from cryoflow.view.charts import COLOURS, Values, chart_style, label_axes, make_axes, rendered, whole_ticks

PANEL = (420, 240)
"""Width and height of a chart, pixels."""


class Curve(NamedTuple):
    """Values over a common x."""

    title: str
    x: Values
    """Ascending."""
    y: Values
    """Values that are not finite leave a gap."""
    x_label: str = ""
    y_label: str = ""


def draw_curves(curves: Sequence[Curve], columns: int = 2) -> Image.Image:
    """Draw each curve into a separate chart.

    Parameters
    ----------
    curves : sequence of Curve
        At least one.
    columns : int
        Charts per row, at most the number of curves.
    """
    columns = min(columns, len(curves))
    with chart_style():
        figure, panels = make_axes(-(-len(curves) // columns), columns, *PANEL)
        for axes, curve in zip(panels, curves, strict=False):
            draw_curve(axes, curve)
        for empty in panels[len(curves) :]:
            empty.remove()
        return rendered(figure)


def draw_curve(axes: Axes, curve: Curve) -> None:
    """Draw a curve as points joined by a line."""
    finite = np.where(np.isfinite(curve.y), curve.y, np.nan)
    axes.plot(curve.x, finite, "o-", color=COLOURS[0], markersize=3, linewidth=1.5)
    label_axes(axes, curve.title, curve.x_label, curve.y_label)
    whole_ticks(axes.xaxis, curve.x)
    whole_ticks(axes.yaxis, finite[np.isfinite(finite)])
