"""The report of a sweep: a table, a picture of it, and one micrograph with the picks of each point."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cryoflow.errors import CryoflowError

if TYPE_CHECKING:
    from cryoflow.launch.sweep.table import Row, SweepTable


class SweepReport(NamedTuple):
    """Result of a sweep.

    Attributes
    ----------
    table : SweepTable
    notes : list of str
        What the points say together, see `cryoflow.jobs.registry.SweepTraits`.
    warnings : list of str
        What went wrong with the pictures.
    """

    table: SweepTable
    notes: list[str]
    warnings: list[str]


def report_sweep(
    directory: Path, project: Path, points: Sequence[Sequence[str]], found: Sequence[Row], job: str
) -> SweepReport:
    """Write table and pictures into the directory of a sweep; a failed picture does not fail the sweep."""
    from cryoflow.launch.sweep.table import make_table, with_notes, write_table

    table, notes = with_notes(make_table(points, found), job)
    write_table(directory, table)
    try:
        draw_sweep(directory, project, table)
    except (CryoflowError, OSError, ValueError, KeyError) as error:
        return SweepReport(table, notes, [f"no picture: {' '.join(str(error).split())}"])
    return SweepReport(table, notes, [])


def draw_sweep(
    directory: Path, project: Path, table: SweepTable, micrographs: Sequence[str] | None = None
) -> list[Path]:
    """Draw the results over the points, and micrographs with the picks of each.

    ``micrographs`` are named as `cryoflow.view.picks.choose` finds them, empty for all; by default the first.
    """
    from cryoflow.view.sweep_picks import SweepPoint, draw_sweep_picks

    rows = table.rows[table.rows["state"] != "failed"].to_dict("records")
    points = [
        SweepPoint(project / str(row["job"]), ", ".join(f"{name}={row[name]}" for name in table.varied))
        for row in rows
        if (project / str(row["job"]) / "autopick.star").exists()
    ]
    drawn = _draw_results(directory, table)
    return drawn + (draw_sweep_picks(directory, project, points, micrographs) if points else [])


def _draw_results(directory: Path, table: SweepTable) -> list[Path]:
    import pandas as pd

    from cryoflow.view.pictures import save
    from cryoflow.view.sweep import draw_grid

    shown = [name for name in table.shown if pd.api.types.is_numeric_dtype(table.rows[name].dtype)]
    if not shown or not table.varied:
        return []
    return [save(draw_grid(table.rows, table.varied, shown), directory / "sweep.png")]
