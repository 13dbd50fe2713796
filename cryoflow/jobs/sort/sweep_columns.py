"""Results of a Sort job for the table of a sweep: how well its learnt scores separate particles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cryoflow.files.star import read_star, table_block
from cryoflow.jobs.sort.scores import FILE
from cryoflow.learn.score.expected import best_expected_f1
from cryoflow.project.context import SweepCache
from cryoflow.spec import Sort

Q_LEVEL = 0.05


def sweep_columns(
    project: Path, job: str, counts: Mapping[str, Any], cache: SweepCache | None
) -> dict[str, Any]:
    """Return the columns of a Sort job in the table of a sweep; none without learnt scores.

    ``q05_particles`` counts q-values of at most 0.05; ``expected_true`` is the sum of the probabilities, and
    ``expected_f1`` that of the best cut of the probability.
    """
    del counts, cache
    path = project / job / FILE
    if not path.exists():
        return {}
    scores = table_block(path, read_star(path), "")
    probability = scores["cryoflowProbability"].to_numpy(np.float64)
    return {
        "q05_particles": int((scores["cryoflowQValue"] <= Q_LEVEL).sum()),
        "expected_true": round(float(np.nansum(probability)), 1),
        "expected_f1": round(best_expected_f1(probability), 4),
    }


def sweep_names(spec: Sort, project: Path) -> tuple[str, ...]:
    """Return the columns that a point will have besides its counts."""
    del project
    return ("scored", "q05_particles", "expected_true", "expected_f1") if spec.scores.learnt_scores else ()
