"""To what resolution the averages of two half sets of a class agree, if the classification recorded it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.files.star import read_star
from cryoflow.jobs.select.conditions import Source, numbers

AGREEMENT = 0.9
"""Correlation that counts as agreement. The halves share poses, so noise alone can reach 0.8."""


def half_set_resolution(path: Path, classes: int) -> npt.NDArray[np.float64] | None:
    """Detail in A to which the averages of two halves agree, ``(classes,)``; inf where they never do.

    Parameters
    ----------
    path : Path
        ``run_itNNN_classes.star`` of our Class2D, with the table ``class_frc``.
    classes : int
        How many classes the model has.

    Returns
    -------
    ndarray or None
        None where there is no such file, as with RELION's models, or no halves were compared.
    """
    table = read_star(path).get("class_frc") if path.exists() else None
    if not isinstance(table, pd.DataFrame):
        return None
    source = Source(table, path, "shells")
    number, shell, frequency, frc = (
        numbers(source, name)
        for name in ("rlnClassNumber", "rlnSpectralIndex", "rlnResolution", "cryoflowFrc")
    )
    found = np.full(classes, np.inf)
    for k in range(classes):
        here = (number == k + 1) & (shell > 0)
        agreeing = int((frc[here] >= AGREEMENT).cumprod().sum())
        if agreeing:
            found[k] = 1 / frequency[here][agreeing - 1]
    return found
