"""Statistics of the picks of each micrograph, as a table next to the summary."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from cryoflow.compute.score.decoys import Null
from cryoflow.files.star import write_star
from cryoflow.jobs.autopick.picker import Found, OtherThresholds
from cryoflow.jobs.autopick.q_values import SUFFIXES

QUANTILES = (0.1, 0.5, 0.9)
GREYSCALE = (0.5, 3.0)
"""Range of scales of references in RELION's absolute greyscale, as far as noise allows. Below it, not even
the best places have a figure of merit above 0."""


class Statistics(NamedTuple):
    """Statistics of one micrograph."""

    picks: int
    fom_quantiles: tuple[float, ...]
    """Figures of merit of the picks at `QUANTILES`; nan without picks."""
    mean_sd: float
    """Mean over the picks of the background's sd."""
    scale: float
    """From `cryoflow.compute.pick.reference_scale.reference_scale`; nan with other figures of merit."""
    others: OtherThresholds | None = None


def statistics_of(found: Found) -> Statistics:
    """Compute one row of the table."""
    picks = found.picks
    fom = picks.fom.double()
    if not len(fom):
        return Statistics(0, (math.nan,) * len(QUANTILES), math.nan, found.scale, found.others)
    quantiles = tuple(fom.quantile(fom.new_tensor(QUANTILES)).tolist())
    return Statistics(len(fom), quantiles, float(picks.sd.double().mean()), found.scale, found.others)


def write_statistics(
    path: Path, rows: Sequence[tuple[str, Statistics]], expected: Mapping[Null, Mapping[str, int]]
) -> None:
    """Write ``statistics.star``, one row per micrograph; columns without a RELION label get a cryoflow label.

    ``expected`` is how many picks are expected to be what a null says, by micrograph.
    """
    table = {
        "rlnMicrographName": [name for name, _ in rows],
        "rlnGroupNrParticles": [one.picks for _, one in rows],
    }
    columns: dict[str, list[float]] = {
        f"cryoflowFigureOfMeritQuantile{round(100 * share)}": [one.fom_quantiles[i] for _, one in rows]
        for i, share in enumerate(QUANTILES)
    }
    columns["cryoflowMeanStddevNoise"] = [one.mean_sd for _, one in rows]
    columns["cryoflowReferenceScale"] = [one.scale for _, one in rows]
    for null, counts in expected.items():
        columns[f"cryoflowExpectedFalsePicks{SUFFIXES[null]}"] = [counts[name] for name, _ in rows]
    write_star(path, {"": pd.DataFrame(table | columns)})


def greyscale_warning(all_statistics: Sequence[Statistics]) -> str | None:
    """Return a warning when references do not have the greyscale of the micrographs, else None."""
    scales = [one.scale for one in all_statistics if math.isfinite(one.scale)]
    if not scales:
        return None
    scale = statistics.median(scales)
    if GREYSCALE[0] <= scale <= GREYSCALE[1]:
        return None
    wrong = (
        "there are hardly any particles, or the references are too strong or have another CTF"
        if scale < 1
        else "the references are too weak"
    )
    return (
        f"{wrong}: they fit the best places of the micrographs when multiplied by {scale:.2g} "
        "(expected: 1 to 2.5), so figures of merit mean little; use averages in RELION's greyscale, or "
        "figure_of_merit: ncc"
    )
