"""Pictures of learnt scores: their distribution, the features behind them, and example particles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cryoflow.files.star import read_star, table_block
from cryoflow.view.bars import Histogram, draw_histogram, draw_named
from cryoflow.view.charts import below_each_other
from cryoflow.view.contact import EACH, Part

CHANCE = "cryoflowProbability"


def scores_picture(report: Path) -> Image.Image:
    """Draw the content of ``scores_report.star``."""
    blocks = read_star(report)
    peaks, chances = (table_block(report, blocks, name) for name in ("histogram", "probability"))
    series = (
        ("targets", peaks["cryoflowTargets"].to_numpy(float)),
        ("decoys", peaks["cryoflowDecoys"].to_numpy(float)),
    )
    title, x_label = "Peaks of the micrographs, won by targets and by decoys", "normalised cross-correlation"
    x = peaks["cryoflowNcc"].to_numpy(float)
    pictures = [draw_histogram(Histogram(title, x, series, x_label, "peaks"))]
    count = chances["cryoflowParticles"].to_numpy(float)
    shown: tuple[tuple[str, np.ndarray], ...] = (("particles", count),)
    if "cryoflowShareGood" in chances.columns:
        good = count * chances["cryoflowShareGood"].to_numpy(float)
        shown += (("expected good, by the labels", good),)
    x = chances[CHANCE].to_numpy(float)
    title = "Particles by probability of being good"
    pictures.append(draw_histogram(Histogram(title, x, shown, "probability", "particles")))
    if "importance" in blocks:
        rows = table_block(report, blocks, "importance")
        values = rows["cryoflowImportance"].to_numpy(float)
        names = rows["cryoflowFeature"].astype(str).tolist()
        title = "Features by how far they move the log-odds"
        pictures.append(draw_named(title, names, values, x_label="mean change of the log-odds (nats)"))
    return below_each_other(pictures)


def score_parts(rows: pd.DataFrame) -> list[Part]:
    """The best, borderline and worst of scored rows: by probability, and nearest to 0.5."""
    known = rows[rows[CHANCE].notna()]
    best_first = known.sort_values("cryoflowLogOdds", ascending=False, kind="stable")
    even = known["cryoflowLogOdds"].abs().sort_values(kind="stable").index[:EACH]
    borderline = known.loc[even].sort_values("cryoflowLogOdds", ascending=False, kind="stable")
    return [
        Part("best by probability", best_first[:EACH], CHANCE),
        Part("borderline", borderline, CHANCE),
        Part("worst", best_first[::-1][:EACH], CHANCE),
    ]
