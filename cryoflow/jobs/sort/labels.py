"""The user's labels of good and bad particles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.tables import Table, read_particles, require
from cryoflow.jobs.inputs.row_keys import row_keys
from cryoflow.project.context import JobContext
from cryoflow.spec.sort import Scores

Labels = npt.NDArray[np.float64]
"""1 for good, 0 for bad, nan for neither."""


def read_labels(scores: Scores, context: JobContext, particles: Table) -> Labels | None:
    """Labels of the particles to be sorted, matched by image name; None if there are none.

    With ``good_classes`` the classes of the good table separate good from bad; with ``bad_particles`` that
    table lists the bad ones; with neither, all that are not good are bad.

    Raises
    ------
    FileError
        When a table cannot be read, names none of the particles, or a particle is good and bad.
    """
    if scores.good_particles is None:
        return None
    table = read_particles(context.resolve(scores.good_particles))
    if scores.good_classes is not None:
        require(table, "rlnClassNumber")
        good = table.rows["rlnClassNumber"].isin(scores.good_classes)
        return _labels(particles, table, table.rows[good], table.rows[~good])
    if scores.bad_particles is None:
        return _labels(particles, table, table.rows, None)
    bad = read_particles(context.resolve(scores.bad_particles))
    return _labels(particles, table, table.rows, bad.rows)


def _labels(particles: Table, source: Table, good: pd.DataFrame, bad: pd.DataFrame | None) -> Labels:
    keys = row_keys(particles.rows, particles.path, by_image=True)
    known = [set(row_keys(rows, source.path, by_image=True)) for rows in (good, bad) if rows is not None]
    is_good = np.array([key in known[0] for key in keys], dtype=bool)
    is_bad = ~is_good if bad is None else np.array([key in known[1] for key in keys], dtype=bool)
    if not is_good.any() or not is_bad.any():
        kind = "bad" if is_good.any() else "good"
        raise FileError(source.path, f"labels none of the particles of {particles.path} {kind}")
    if (is_good & is_bad).any():
        raise FileError(
            source.path,
            f"labels {(is_good & is_bad).sum()} particles both good and bad",
        )
    return np.where(is_good, 1.0, np.where(is_bad, 0.0, np.nan))
