"""Charts of a picking job: distribution of figures of merit, and both over micrographs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cryoflow.files.coordinates import read_coordinates
from cryoflow.files.star import read_star, table_block
from cryoflow.view.bars import Histogram, draw_histogram
from cryoflow.view.charts import Values, below_each_other
from cryoflow.view.curves import Curve, draw_curves

BINS = 60
_FOM = "rlnAutopickFigureOfMerit"
_SHOWN = 0.995
"""Fraction of the picks within the bins; the few beyond count in the outermost."""


def draw_pick_statistics(
    coordinates: Sequence[Path], proposals: Path | None = None, threshold: float | None = None
) -> Image.Image:
    """Draw the charts of coordinate files, one per micrograph in the order of the input table.

    Without figures of merit, as manual picks have none, only the counts are drawn.

    Parameters
    ----------
    coordinates : sequence of Path
    proposals : Path, optional
        ``thresholds.star`` of the job: its histogram goes below the threshold, its proposals are marked.
    threshold : float, optional
        Of the job, marked.
    """
    tables = [read_coordinates(path) for path in coordinates]
    number = np.arange(1.0, len(tables) + 1)
    counts = np.array([len(table) for table in tables], float)
    x_label = "micrograph, in the order of the input"
    curves = [Curve("Picks over micrographs", number, counts, x_label, "picks")]
    scored = [table.get(_FOM) for table in tables]
    values = [np.zeros(0) if fom is None else fom.to_numpy(float) for fom in scored]
    everything = np.concatenate(values)
    if not len(everything):
        return draw_curves(curves)
    medians = np.array([np.median(part) if len(part) else np.nan for part in values])
    title = "Median figure of merit over micrographs"
    curves.append(Curve(title, number, medians, x_label, "median figure of merit"))
    shown = _proposed_histogram(proposals) if proposals is not None and proposals.exists() else None
    shown = shown or fom_histogram(everything)
    if threshold is not None:
        shown = shown._replace(marks=((f"picking threshold {threshold:g}", threshold), *shown.marks))
    return below_each_other([draw_histogram(shown, 840), draw_curves(curves)])


def _proposed_histogram(path: Path) -> Histogram | None:
    """Histogram and proposals of ``thresholds.star``; None without peaks."""
    blocks = read_star(path)
    if "histogram" not in blocks:
        return None
    bins, rows = (table_block(path, blocks, name) for name in ("histogram", "thresholds"))
    series = [("peaks", bins["cryoflowPeaks"].to_numpy(float))]
    if "cryoflowDecoys" in bins.columns:
        series.append(("decoys", bins["cryoflowDecoys"].to_numpy(float)))
    marks = [(_mark(row), float(row[_FOM])) for row in rows.to_dict("records")]
    count = int(bins["cryoflowPeaks"].sum())
    title = f"Figures of merit of {count} peaks, also below the threshold; the highest count in the last bin"
    return Histogram(
        title, bins[_FOM].to_numpy(float), tuple(series), "figure of merit", "peaks", tuple(marks)
    )


def _mark(row: dict[Hashable, Any]) -> str:
    if row["cryoflowProposal"] == "valley":
        return f"valley {float(row[_FOM]):.3g} ({float(row['cryoflowValleyDepth']):.0%} deep)"
    return f"q-value 0.05: {float(row[_FOM]):.3g}"


def fom_histogram(values: Values) -> Histogram:
    """Histogram of figures of merit, at least one."""
    low, high = np.quantile(values, (1 - _SHOWN, _SHOWN))
    if not low < high:
        low, high = low - 0.5, low + 0.5
    counts, edges = np.histogram(values.clip(low, high), BINS, (low, high))
    middles = (edges[:-1] + edges[1:]) / 2
    beyond = int(((values < low) | (values > high)).sum())
    clipped = f"; the outermost bins hold {beyond} from beyond" if beyond else ""
    title = f"Figures of merit of {len(values)} picks{clipped}"
    return Histogram(title, middles, (("picks", counts.astype(float)),), "figure of merit", "picks")
