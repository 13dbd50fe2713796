"""Notes on the points of a picking sweep: which is nearest to a proposal, and where peaks merge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from cryoflow.jobs.autopick.thresholds import MORE

THRESHOLD, PICKS = "picking_threshold", "particles"
PROPOSALS = {"valley": "valley", "q-value": "q05_threshold"}
"""Name of each proposal, and the column that has it."""


def sweep_notes(rows: pd.DataFrame, varied: Sequence[str]) -> tuple[list[str | None], list[str]]:
    """Mark the points nearest to the proposed thresholds.

    The point with the lowest threshold has seen the most peaks and proposes for all that differ from it in
    the threshold alone.

    Parameters
    ----------
    rows : DataFrame
        One row per point.
    varied : sequence of str
        Columns with the values that distinguish the points.

    Returns
    -------
    tuple
        For each row the proposals that it is nearest to, None for most; and lines to report.
    """
    marks: list[str | None] = [None] * len(rows)
    lines: list[str] = []
    if (
        THRESHOLD not in varied
        or PICKS not in rows
        or not pd.api.types.is_numeric_dtype(rows[THRESHOLD].dtype)
    ):
        return marks, lines
    numbered = rows.reset_index(drop=True)
    for points in _differing_in_threshold(numbered[numbered[PICKS].notna()], varied):
        for name, column in PROPOSALS.items():
            value = points[column].iloc[0] if column in points.columns else None
            if value is None or pd.isna(value):
                continue
            nearest = int((points[THRESHOLD] - value).abs().idxmin())
            marks[nearest] = " ".join(filter(None, (marks[nearest], f"{name}={value:.3g}")))
            lines.append(
                f"nearest to the {name} {value:.3g}: {_values(numbered.iloc[nearest].to_dict(), varied)}"
            )
        lines.extend(_merging(points, varied))
    return marks, lines


def _differing_in_threshold(rows: pd.DataFrame, varied: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Groups of points that differ in nothing else, by rising threshold."""
    others = [name for name in varied if name != THRESHOLD]
    groups = [part for _, part in rows.groupby(others, sort=False)] if others else [rows]
    yield from (part.sort_values(THRESHOLD, kind="stable") for part in groups if len(part))


def _merging(points: pd.DataFrame, varied: Sequence[str]) -> Iterator[str]:
    """A line where the lowest threshold picks fewer than a higher one."""
    first, most = (points.iloc[at].to_dict() for at in (0, int(points[PICKS].to_numpy().argmax())))
    if most[PICKS] > MORE * first[PICKS]:
        yield (
            f"{_values(first, varied)} picks fewer ({first[PICKS]:g}) than {_values(most, varied)} "
            f"({most[PICKS]:g}): peaks closer than the minimum distance drop each other, so that a lower "
            "threshold does not pick more; use figure_of_merit: ncc, or a smaller distance"
        )


def _values(row: Mapping[Any, Any], varied: Sequence[str]) -> str:
    return " ".join(f"{name}={row[name]}" for name in varied) + f" ({row['job']})"
