"""Selection of rows by class, by columns and by scores, as in Select."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.errors import ArgumentError
from cryoflow.jobs.select.conditions import Condition, Source, combine, numbers, within
from cryoflow.jobs.select.scored import cuts_of, scored_conditions


class HasFrame(Protocol):
    """Particles, picks, Z-scores, a classification ...: any object with rows."""

    def to_frame(self) -> pd.DataFrame:
        """Return the rows."""
        ...


@dataclass(frozen=True, eq=False)
class Selection:
    """Rows that were kept.

    Attributes
    ----------
    keep : ndarray
        Bool ``(n,)``: which rows; ``particles[selection.keep]`` are the particles.
    conditions : tuple of Condition
        Description (``text``) of each condition, and the rows that meet it (``keep``).
    rows : DataFrame
        The rows that were kept.
    """

    keep: npt.NDArray[np.bool_]
    conditions: tuple[Condition, ...] = field(repr=False)
    rows: pd.DataFrame = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    def to_frame(self) -> pd.DataFrame:
        """Return the rows that were kept."""
        return self.rows.copy()


def select(
    rows: HasFrame | pd.DataFrame,
    *,
    classes: Collection[int] | None = None,
    columns: Mapping[str, tuple[float | None, float | None]] | None = None,
    q_value_max: float | None = None,
    probability_min: float | None = None,
    scores: HasFrame | pd.DataFrame | None = None,
    invert: bool = False,
) -> Selection:
    """Keep the rows that meet all conditions.

    Parameters
    ----------
    rows : DataFrame, or an object with ``to_frame()``
        E.g. particles, Z-scores, a classification.
    classes : collection of int, optional
        Class numbers (``rlnClassNumber``, from 1).
    columns : mapping, optional
        Column name to lowest and highest value kept, both included; None: no limit, as in
        ``{"rlnParticleSelectZScore": (None, 1.0)}``.
    q_value_max, probability_min : float, optional
        Cuts by learnt scores.
    scores : DataFrame, or an object with ``to_frame()``, optional
        Table with these columns (`learnt_scores`), joined by image name, or else by micrograph and
        coordinates. By default in the rows themselves.
    invert : bool
        Keep the others.

    Returns
    -------
    Selection

    Raises
    ------
    CryoflowError
        If a column is missing or holds no numbers, or scores are of other rows.
    ArgumentError
        If an argument cannot be used.
    """
    table = _frame(rows, "rows")
    source = Source(table, Path("rows"), "rows")
    conditions = [_class_condition(source, classes)] if classes is not None else []
    conditions += [within(source, name, *_bounds(name, bounds)) for name, bounds in (columns or {}).items()]
    cuts = cuts_of(q_value_max, probability_min)
    if cuts and scores is not None:
        found = Source(_frame(scores, "scores"), Path("scores"), "rows")
        conditions += scored_conditions(cuts, found, source)
    elif cuts:
        conditions += [within(source, cut.column, cut.low, cut.high) for cut in cuts]
    keep = combine(conditions, len(table), invert)
    return Selection(keep, tuple(conditions), table[keep].reset_index(drop=True))


def _frame(rows: HasFrame | pd.DataFrame, what: str) -> pd.DataFrame:
    frame = rows if isinstance(rows, pd.DataFrame) else getattr(rows, "to_frame", lambda: None)()
    if not isinstance(frame, pd.DataFrame):
        raise ArgumentError(
            f"{what}: expected a DataFrame or a result with to_frame(), got {type(rows).__name__}"
        )
    return frame.reset_index(drop=True)


def _class_condition(source: Source, classes: Collection[int]) -> Condition:
    wanted = list(classes)
    if not all(isinstance(number, int | np.integer) and number >= 1 for number in wanted):
        raise ArgumentError(f"classes: {wanted}; give class numbers from 1")
    keep = np.isin(numbers(source, "rlnClassNumber"), np.array(wanted, dtype=np.int64))
    return Condition(f"classes {', '.join(map(str, wanted))}", keep)


def _bounds(name: str, bounds: tuple[float | None, float | None]) -> tuple[float | None, float | None]:
    try:
        low, high = bounds
        if low is not None and high is not None and low > high:
            raise ValueError
    except (TypeError, ValueError):
        raise ArgumentError(f"columns: {name}: {bounds!r}; give lowest and highest value") from None
    return low, high
