"""Merge micrographs into groups of similar intensity scale."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cryoflow.errors import FileError
from cryoflow.jobs.select.conditions import Source, numbers

MOST_GROUPS = 999


def regroup(particles: Source, groups: Source, wanted: int) -> pd.DataFrame:
    """Particles with new ``rlnGroupNumber`` and ``rlnGroupName``.

    Old groups are merged in order of intensity scale; a new group is full once it holds more than the number
    of particles over the number of groups wanted.

    Parameters
    ----------
    particles, groups : Source
        The chosen particles, and the model's table of groups.
    wanted : int
        Approximate number of groups.

    Raises
    ------
    FileError
        When a column is missing, or a particle's group is not in the model.
    """
    if wanted > MOST_GROUPS:
        raise FileError(groups.path, f"cannot make {wanted} groups; at most {MOST_GROUPS}")
    old = numbers(particles, "rlnGroupNumber").astype(np.int64)
    known = numbers(groups, "rlnGroupNumber").astype(np.int64)
    strange = np.setdiff1d(old, known)
    if strange.size:
        raise FileError(particles.path, f"has rlnGroupNumber {strange[0]}, which {groups.path.name} lacks")
    full, number, filled = len(old) // wanted, 1, 0
    renamed = {}
    for group in known[np.argsort(numbers(groups, "rlnGroupScaleCorrection"), kind="stable")].tolist():
        if filled > full:
            number, filled = number + 1, 0
        renamed[group] = number
        filled += int((old == group).sum())
    width = 3 if wanted > 100 else 2 if wanted > 10 else 1
    new = [renamed[group] for group in old.tolist()]
    names = [f"group_{group:0{width}d}" for group in new]
    return particles.rows.assign(rlnGroupNumber=np.array(new, dtype=np.int64), rlnGroupName=names)
