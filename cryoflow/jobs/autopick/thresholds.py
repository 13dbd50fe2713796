"""Picking thresholds proposed from the figures of merit, and whether a higher one picks more.

``thresholds.star`` has two blocks, with cryoflow's own columns. ``thresholds`` has one row per proposal:
``valley`` of the histogram, with its depth (1 - height of the valley / height of the lower side), and
``q_value``, the lowest figure of merit with a q-value of at most 0.05, where there are decoys. ``histogram``:
peaks down to the floor of the candidates, by bins, with the decoys that have won.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from cryoflow.compute.pick.valley import Valley, find_valley
from cryoflow.files.star import write_star
from cryoflow.jobs.autopick.picker import RAISED, OtherThresholds
from cryoflow.jobs.autopick.q_values import Q_LEVEL, Judged
from cryoflow.spec import AutoPick

FILE = "thresholds.star"
BINS = 60
SHOWN = 0.995
"""Share of the peaks that the bins hold; the few beyond count in the outermost."""
MORE = 1.02
"""Ratio of picks above which a higher threshold counts as picking more."""
FEWEST_LOST, LOST = 5, 0.05
"""Picks of a higher threshold that a lower one loses, for a warning: so many, and such a share."""

Values = npt.NDArray[np.float64]


class Proposed(NamedTuple):
    """Thresholds that a picking job proposes, and their data."""

    valley: Valley | None
    """None where there is no clear one."""
    q_cut: float | None
    """Lowest figure of merit with a q-value of at most `Q_LEVEL`; None without decoys or such picks."""
    peaks: Values
    """Figures of merit down to the floor of the candidates."""
    decoys: Values
    """Figures of merit of the decoys that won."""


def propose_thresholds(others: Sequence[OtherThresholds], judged: Judged | None) -> Proposed:
    """Find the valley of all micrographs' peaks, and the cut of the q-values."""
    peaks = torch.cat([one.peaks for one in others]).double().numpy()
    if judged is None:
        return Proposed(find_valley(peaks), None, peaks, np.zeros(0))
    return Proposed(find_valley(peaks), judged.q_cut, peaks, judged.decoys)


def proposal_lines(proposed: Proposed, threshold: float, judged: bool) -> list[str]:
    """Return what to report of the proposals, one line each."""
    used = f"(picked at {threshold:g})"
    if proposed.valley is None:
        lines = ["no threshold to propose: the histogram of the figures of merit has no clear valley"]
    else:
        at, depth = proposed.valley
        lines = [
            f"proposed threshold {at:.3g}: the valley of the figures of merit, {depth:.0%} below the lower "
            f"of its sides {used}"
        ]
    if judged and proposed.q_cut is None:
        lines.append(f"no pick has a q-value of at most {Q_LEVEL:g}")
    if proposed.q_cut is not None:
        what = f"picks above have q-values of at most {Q_LEVEL:g}"
        lines.append(f"proposed threshold {proposed.q_cut:.3g}: {what} {used}")
    return lines


def write_thresholds(path: Path, proposed: Proposed) -> None:
    """Write ``thresholds.star``."""
    rows = []
    if proposed.valley is not None:
        rows.append(("valley", *proposed.valley))
    if proposed.q_cut is not None:
        rows.append(("q_value", proposed.q_cut, math.nan))
    names = ["cryoflowProposal", "rlnAutopickFigureOfMerit", "cryoflowValleyDepth"]
    blocks = {"thresholds": pd.DataFrame(rows, columns=names)}
    if len(proposed.peaks):
        blocks["histogram"] = _histogram(proposed)
    write_star(path, blocks)


def _histogram(proposed: Proposed) -> pd.DataFrame:
    low, high = np.quantile(proposed.peaks, (0, SHOWN))
    if not low < high:
        low, high = low - 0.5, low + 0.5
    edges = np.linspace(low, high, BINS + 1)
    peaks, decoys = (
        np.histogram(values.clip(low, high), edges)[0] for values in (proposed.peaks, proposed.decoys)
    )
    table = {"rlnAutopickFigureOfMerit": (edges[:-1] + edges[1:]) / 2, "cryoflowPeaks": peaks}
    return pd.DataFrame(table | ({"cryoflowDecoys": decoys} if len(proposed.decoys) else {}))


def merging_warning(spec: AutoPick, others: Sequence[OtherThresholds]) -> str | None:
    """Return a warning where a higher threshold would have made picks that this one loses.

    RELION drops both of two picks of different clusters that are closer than the minimum distance, and chains
    of noise peaks make clusters of what a higher threshold keeps apart.
    """
    picked, kept = (
        [sum(each) for each in zip(*counts, strict=True)]
        for counts in ((one.raised for one in others), (one.kept for one in others))
    )
    lost = [all_ - own for all_, own in zip(picked, kept, strict=True)]
    worst = max(range(len(lost)), key=lost.__getitem__, default=None)
    if worst is None or lost[worst] < max(FEWEST_LOST, LOST * picked[worst]):
        return None
    tab = spec.autopicking
    higher, distance = tab.picking_threshold + RAISED[worst], tab.minimum_inter_particle_distance
    return (
        f"threshold {tab.picking_threshold:g} loses {lost[worst]} of the {picked[worst]} picks of threshold "
        f"{higher:g}: peaks closer than {distance:g} A drop each other; raise the threshold, lower the "
        "minimum distance, or use figure_of_merit: ncc, with which a lower threshold loses none"
    )
