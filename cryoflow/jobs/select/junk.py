"""Warnings if a selection of classes keeps classes that its own scores call junk, or drops none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.jobs.select.conditions import Mask
from cryoflow.jobs.select.scores import KIND
from cryoflow.spec.selection import Selection, TopClasses

JUNK = ("ice", "carbon", "filament", "blank")
"""Kinds of classes that hold no particles."""
_DROP = "to drop them, set selection > class_score_min: 0.5, or name the classes to keep"


def kept_junk_warnings(
    selection: Selection, classes: pd.DataFrame, chosen: Mask, kept: npt.NDArray[np.int64]
) -> list[str]:
    """Return the warnings; none if the spec names classes, since the user has looked at them.

    Parameters
    ----------
    selection : Selection
    classes : DataFrame
        The model's classes, with their kinds where they could be scored.
    chosen : ndarray
        Which classes were selected.
    kept : ndarray
        Class number of each particle kept, from 1.
    """
    if isinstance(selection.classes, list) or selection.invert:
        return []
    number = np.arange(1, len(classes) + 1)
    junk = chosen & classes[KIND].isin(JUNK).to_numpy() if KIND in classes.columns else chosen & False
    lines = []
    count = int(np.isin(kept, number[junk]).sum())
    if count:
        kinds = ", ".join(f"{k} ({classes[KIND].iloc[k - 1]})" for k in number[junk].tolist())
        lines.append(f"keeps {count} particles of classes that do not look like particles: {kinds}; {_DROP}")
    if _drops_nothing(selection, chosen):
        lines.append(f"keeps all {len(chosen)} classes; {_DROP}")
    return lines


def _drops_nothing(selection: Selection, chosen: Mask) -> bool:
    """Whether all classes are kept because of their number, not their quality."""
    if len(chosen) < 2 or not chosen.all():
        return False
    return isinstance(selection.classes, TopClasses) or not selection.has_conditions()
