"""Statistics of the picks of each micrograph, to select micrographs by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cryoflow.files.star import as_table, read_star
from cryoflow.project.context import JobContext

FILE = "statistics.star"
"""AutoPick's own table of statistics: quantiles of figures of merit, noise, expected false picks."""
_NAME, _FOM = "rlnMicrographName", "rlnAutopickFigureOfMerit"
COUNT, MEAN, SD = "rlnGroupNrParticles", _FOM, "cryoflowStddevFigureOfMerit"
"""Number of picks, and mean and standard deviation of their figures of merit."""


def with_pick_statistics(
    context: JobContext, rows: pd.DataFrame, found: Mapping[str, pd.DataFrame], folder: Path
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Add what the picks say of each micrograph to its row, for conditions; columns that are there stay.

    Parameters
    ----------
    context : JobContext
    rows : DataFrame
        Micrographs, by ``rlnMicrographName``.
    found : mapping of str to DataFrame
        Picks by the micrograph's name.
    folder : Path
        Of the picking job, whose ``statistics.star`` is joined in where there is one.

    Returns
    -------
    DataFrame
        With `COUNT` (0 without picks), `MEAN` and `SD` (nan without figures of merit).
    tuple of str
        Files that were read, project-relative.
    """
    names = rows[_NAME].astype(str)
    measured = pd.DataFrame([_measure(found.get(name)) for name in names], columns=[COUNT, MEAN, SD])
    beside = folder / FILE
    read: tuple[str, ...] = ()
    if beside.exists():
        context.reads([context.relative(beside)])
        read = (context.relative(beside),)
        table = next((as_table(block) for block in read_star(beside).values()), pd.DataFrame())
        if _NAME in table.columns:
            more = table.drop_duplicates(_NAME).set_index(_NAME).reindex(names).reset_index(drop=True)
            measured = pd.concat([measured, more.drop(columns=COUNT, errors="ignore")], axis=1)
    fresh = [name for name in measured.columns if name not in rows.columns]
    return pd.concat([rows.reset_index(drop=True), measured[fresh]], axis=1), read


def _measure(picks: pd.DataFrame | None) -> tuple[int, float, float]:
    if picks is None or not len(picks):
        return 0, np.nan, np.nan
    if _FOM not in picks.columns:
        return len(picks), np.nan, np.nan
    fom = picks[_FOM].to_numpy(np.float64)
    return len(picks), float(fom.mean()), float(fom.std())
