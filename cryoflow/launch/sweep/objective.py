"""The objective of a sweep: a column of its table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cryoflow.errors import CryoflowError
from cryoflow.jobs.registry import JOB_TYPES, load
from cryoflow.launch.outcome import Outcome
from cryoflow.spec import JobSpec

if TYPE_CHECKING:
    from cryoflow.launch.sweep.table import SweepTable


_NEEDS = {
    **dict.fromkeys(("precision", "recall", "f1"), "the true positions of a simulated project"),
    **dict.fromkeys(("expected_false", "expected_false_shape", "q05_picks"), "statistics.decoys=yes"),
    **dict.fromkeys(("expected_true", "expected_f1", "q05_particles"), "learnt scores"),
}
"""Requirements of columns that not every sweep has."""


class NoValue(CryoflowError):
    """The results have no such column, or no numbers in it."""


def direction(objective: str) -> str:
    """Return ``minimize`` for an objective with a minus in front, else ``maximize``."""
    return "minimize" if objective.startswith("-") else "maximize"


def column(objective: str) -> str:
    """Return the name of the column."""
    return objective.removeprefix("-")


def check_objective(specs: Sequence[JobSpec], project: Path) -> None:
    """Refuse an objective that no point of a sweep will have.

    Raises
    ------
    CryoflowError
        With the columns that there will be.
    """
    objective = specs[0].objective
    if not objective:
        return
    names = dict.fromkeys(name for spec in specs for name in _columns(spec, project))
    if column(objective) not in names:
        name = column(objective)
        needs = f", which needs {_NEEDS[name]}" if name in _NEEDS else ""
        raise CryoflowError(
            f"objective: no point will have a column '{name}'{needs}; available: {', '.join(names)}"
        )


def _columns(spec: JobSpec, project: Path) -> tuple[str, ...]:
    traits = JOB_TYPES[spec.job].sweep
    more = load(traits.names)(spec, project) if traits.names else ()
    return (*traits.counts, *more, "seconds")


def score(objective: str, project: Path, outcome: Outcome) -> float:
    """Return the value of a point that has ended.

    Raises
    ------
    NoValue
        If there is no such column.
    CryoflowError
        If the point has failed.
    """
    from cryoflow.launch.sweep.table import results

    if not outcome.directory or outcome.code == 1:
        raise CryoflowError(outcome.message)
    row = results(project, outcome)
    value = row.get(column(objective))
    if not isinstance(value, int | float):
        numbers = ", ".join(name for name, known in row.items() if isinstance(known, int | float))
        raise NoValue(
            f"objective: the results have no numeric column '{column(objective)}'; available: {numbers}"
        )
    if not math.isfinite(value):
        raise CryoflowError(f"{outcome.directory}: {column(objective)} is not finite here")
    return float(value)


def best_row(objective: str, table: SweepTable) -> int | None:
    """Return the row of the best point; None if no point has a value."""
    import numpy as np
    import pandas as pd

    if column(objective) not in table.rows:
        return None
    values = pd.to_numeric(table.rows[column(objective)], errors="coerce").to_numpy(float)
    if np.isnan(values).all():
        return None
    return int(np.nanargmin(values) if objective.startswith("-") else np.nanargmax(values))
