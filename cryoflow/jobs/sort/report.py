"""``scores_report.star``: statistics of the learnt scores; drawn by `cryoflow.view`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from cryoflow.compute.score.features import Features
from cryoflow.files.star import write_star
from cryoflow.jobs.sort.score_micrograph import Evidence
from cryoflow.learn.score.score_model import ScoreModel, importances

BINS, CHANCES = 50, 10
"""Bins of the histograms of correlations and of probabilities."""
LEVELS = (0.01, 0.02, 0.05, 0.1, 0.2)
"""q-values at which acceptance is reported."""

Floats = npt.NDArray[np.float64]


def write_report(
    path: Path,
    whole: Evidence,
    model: ScoreModel | None,
    table: pd.DataFrame,
    labels: Floats | None,
    seed: int,
) -> None:
    """Write the report with these blocks, the last only if there is a model.

    ``histogram``: peaks of the micrographs that targets and decoys have won, by correlation.
    ``accepted``: particles with a q-value up to a level, and how many of them are expected to be noise.
    ``probability``: particles by probability; with labels also the share of good ones among the labelled.
    ``importance``: how far each feature moves the log-odds, see `importances`.
    """
    blocks = {
        "histogram": _histogram(whole),
        "accepted": _accepted(table["cryoflowQValue"].to_numpy(float)),
        "probability": _probabilities(table["cryoflowProbability"].to_numpy(float), labels),
    }
    if model is not None:
        moved = importances(model, whole.features, seed)
        rows = pd.DataFrame({"cryoflowFeature": Features._fields, "cryoflowImportance": moved.numpy()})
        order = rows["cryoflowImportance"].sort_values(ascending=False, kind="stable").index
        blocks["importance"] = rows.loc[order]
    write_star(path, blocks)


def _histogram(whole: Evidence) -> pd.DataFrame:
    targets, decoys = whole.rounds["noise"].targets, whole.rounds["noise"].decoys
    both = torch.cat((targets, decoys)).numpy()
    low, high = (both.min(), both.max()) if len(both) else (0.0, 1.0)
    edges = np.linspace(low, high, BINS + 1)
    counts = [np.histogram(values.numpy(), edges)[0] for values in (targets, decoys)]
    centre = (edges[1:] + edges[:-1]) / 2
    return pd.DataFrame({"cryoflowNcc": centre, "cryoflowTargets": counts[0], "cryoflowDecoys": counts[1]})


def _accepted(q: Floats) -> pd.DataFrame:
    accepted = [int((q <= level).sum()) for level in LEVELS]
    false = [count * level for count, level in zip(accepted, LEVELS, strict=True)]
    return pd.DataFrame(
        {"cryoflowQValue": LEVELS, "cryoflowAccepted": accepted, "cryoflowExpectedFalse": false}
    )


def _probabilities(chance: Floats, labels: Floats | None) -> pd.DataFrame:
    place = np.minimum((np.nan_to_num(chance) * CHANCES).astype(int), CHANCES - 1)
    scored = ~np.isnan(chance)
    table = pd.DataFrame(
        {
            "cryoflowProbability": (np.arange(CHANCES) + 0.5) / CHANCES,
            "cryoflowParticles": np.bincount(place[scored], minlength=CHANCES),
        }
    )
    if labels is None:
        return table
    known = scored & ~np.isnan(labels)
    count, good = (np.bincount(place[known], weights, CHANCES) for weights in (None, labels[known]))
    share = np.divide(good, count, out=np.full(CHANCES, np.nan), where=count > 0)
    return table.assign(cryoflowLabelled=count.astype(int), cryoflowShareGood=share)
