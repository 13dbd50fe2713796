"""The table of a sweep, one row per point: values, state, results, and scores where the truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from cryoflow.errors import CryoflowError
from cryoflow.jobs.registry import JOB_TYPES, load
from cryoflow.launch.outcome import Outcome
from cryoflow.project.context import SweepCache
from cryoflow.project.record import read_record

if TYPE_CHECKING:
    import pandas as pd

#: Results of one point by column.
Row: TypeAlias = dict[str, Any]

TABLE = "sweep.csv"

_STATES = ("done", "failed", "partial")


class SweepTable(NamedTuple):
    """Results of a sweep.

    Attributes
    ----------
    rows : DataFrame
        One a point.
    varied : tuple of str
        Columns with the values that distinguish the points.
    shown : tuple of str
        Columns to draw: those whose values differ.
    """

    rows: pd.DataFrame
    varied: tuple[str, ...]
    shown: tuple[str, ...]


def make_table(points: Sequence[Sequence[str]], found: Sequence[Row]) -> SweepTable:
    """Gather what the points have found.

    Parameters
    ----------
    points : sequence of sequence of str
        ``field=value`` of every point.
    found : sequence of dict
        What they have found, see `results`.
    """
    import pandas as pd

    values = [{name: value for name, _, value in (v.partition("=") for v in point)} for point in points]
    several = [name for name in values[0] if len({point[name] for point in values}) > 1]
    varied = {name: name.rpartition(".")[2] for name in several or values[0]}
    rows = pd.DataFrame(
        [
            {short: point[name] for name, short in varied.items()} | row
            for point, row in zip(values, found, strict=True)
        ]
    )
    for short in varied.values():
        numbers = pd.to_numeric(rows[short], errors="coerce")
        if numbers.notna().all():
            rows[short] = numbers
    return _table(rows, tuple(varied.values()))


def read_table(directory: Path) -> SweepTable:
    """Read the table of a finished sweep.

    Raises
    ------
    CryoflowError
        If the sweep has not finished.
    """
    import pandas as pd

    path = directory / TABLE
    if not path.exists():
        raise CryoflowError(f"{directory}: not finished; run its command again to resume it")
    rows = pd.read_csv(path)
    return _table(rows, tuple(rows.columns[: rows.columns.get_loc("job")]))


def _table(rows: pd.DataFrame, varied: tuple[str, ...]) -> SweepTable:
    apart = {*varied, "job", "state", "seconds"}
    shown = tuple(name for name in rows.columns if name not in apart and rows[name].nunique() > 1)
    return SweepTable(rows, varied, shown)


def with_notes(table: SweepTable, job: str) -> tuple[SweepTable, list[str]]:
    """Add the column ``nearest_to``, where a row is nearest to a proposal; return lines to report as well."""
    notes = JOB_TYPES[job].sweep.notes
    if not notes:
        return table, []
    marks, lines = load(notes)(table.rows, table.varied)
    if any(marks):
        table = table._replace(rows=table.rows.assign(nearest_to=marks))
    return table, lines


def results(project: Path, outcome: Outcome, cache: SweepCache | None = None) -> Row:
    """Return what one point has found, by column; what the cache of its sweep holds is not read from disk."""
    row: Row = {"job": outcome.directory or "none", "state": _STATES[outcome.code]}
    if not outcome.directory or outcome.code == 1:
        return row
    record = read_record(project / outcome.directory)
    counts = {
        name: value for name, value in record["counts"].items() if name not in {"kept", "kept_micrographs"}
    }
    row |= counts | {"seconds": record["timings"]["seconds"].get("job")}
    columns = JOB_TYPES[record["spec"]["job"]].sweep.columns
    if columns:
        row |= load(columns)(project, outcome.directory, counts, cache)
    return row


def write_table(directory: Path, table: SweepTable) -> None:
    """Write ``sweep.star`` and ``sweep.csv``."""
    from cryoflow.files.atomic import write_bytes
    from cryoflow.files.star import write_star

    rows = table.rows.astype(object).where(table.rows.notna(), "None") if _gaps(table) else table.rows
    write_star(directory / "sweep.star", {"sweep": rows})
    write_bytes(directory / TABLE, table.rows.to_csv(index=False).encode())


def _gaps(table: SweepTable) -> bool:
    return bool(table.rows.isna().any(axis=None))
