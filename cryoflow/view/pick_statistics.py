"""Charts of a picking job: how figures of merit are spread, picks and figures of merit over micrographs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from cryoflow.files.coordinates import read_coordinates
from cryoflow.view.bars import Histogram, draw_histogram
from cryoflow.view.charts import Values, below_each_other
from cryoflow.view.curves import Curve, draw_curves

BINS = 60
_SHOWN = 0.995
"""Fraction of the picks within the bins; the few beyond count in the outermost."""


def draw_pick_statistics(coordinates: Sequence[Path]) -> Image.Image:
    """Draw the charts of coordinate files, one a micrograph in the order of the input table.

    Without figures of merit, as manual picks have none, only the counts are drawn.
    """
    tables = [read_coordinates(path) for path in coordinates]
    number = np.arange(1.0, len(tables) + 1)
    counts = np.array([len(table) for table in tables], float)
    x_label = "micrograph, in the order of the input"
    curves = [Curve("Picks over micrographs", number, counts, x_label, "picks")]
    scored = [table.get("rlnAutopickFigureOfMerit") for table in tables]
    values = [np.zeros(0) if fom is None else fom.to_numpy(float) for fom in scored]
    everything = np.concatenate(values)
    if not len(everything):
        return draw_curves(curves)
    medians = np.array([np.median(part) if len(part) else np.nan for part in values])
    title = "Median figure of merit over micrographs"
    curves.append(Curve(title, number, medians, x_label, "median figure of merit"))
    return below_each_other([draw_histogram(fom_histogram(everything), 840), draw_curves(curves)])


def fom_histogram(values: Values) -> Histogram:
    """Histogram of figures of merit, at least one."""
    low, high = np.quantile(values, (1 - _SHOWN, _SHOWN))
    if not low < high:
        low, high = low - 0.5, low + 0.5
    counts, edges = np.histogram(values.clip(low, high), BINS, (low, high))
    middles = (edges[:-1] + edges[1:]) / 2
    title = f"Figures of merit of {len(values)} picks"
    return Histogram(title, middles, (("picks", counts.astype(float)),), "figure of merit", "picks")
