"""One row a point: what was set, how it ended, what came out, and how right that is if the truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from cryoflow.launch.job.run import Outcome
from cryoflow.project.record import read_record

if TYPE_CHECKING:
    import pandas as pd

    from cryoflow.jobs.autopick.output import Written
    from cryoflow.simulate.score import Truth

#: Results of one point by column.
Row: TypeAlias = dict[str, Any]

_STATES = ("done", "failed", "partial")
_QUANTILES = {"fom_10": 0.1, "fom_50": 0.5, "fom_90": 0.9}


class SweepTable(NamedTuple):
    """What a sweep has found.

    Attributes
    ----------
    rows : DataFrame
        One a point.
    varied : tuple of str
        Columns with the values that tell the points apart.
    shown : tuple of str
        Columns worth a picture, those with another value somewhere.
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
    apart = {*varied.values(), "job", "state", "seconds"}
    shown = tuple(name for name in rows.columns if name not in apart and rows[name].nunique() > 1)
    return SweepTable(rows, tuple(varied.values()), shown)


def results(project: Path, outcome: Outcome, kept: dict[str, Any] | None = None) -> Row:
    """Return what one point has found, by column.

    What it has left in ``kept``, see `cryoflow.project.context.JobContext`, need not be read from disk.
    """
    row: Row = {"job": outcome.directory or "none", "state": _STATES[outcome.code]}
    if not outcome.directory or outcome.code == 1:
        return row
    record = read_record(project / outcome.directory)
    counts = {name: value for name, value in record["counts"].items() if name != "kept"}
    row |= counts | {"seconds": record["timings"]["seconds"].get("job")}
    if record["spec"]["job"] == "AutoPick":
        row |= _picking(project, outcome.directory, max(1, counts.get("micrographs", 1)), kept or {})
    return row


def _picking(project: Path, job: str, micrographs: int, kept: dict[str, Any]) -> Row:
    import numpy as np

    from cryoflow.files.star import read_star, table_block
    from cryoflow.simulate.score import PARTICLE, kinds_of

    path = project / job / "autopick.star"
    files = table_block(path, read_star(path), "coordinate_files")
    scores, found, true, picks = [], 0, 0, 0
    for name, file in zip(files["rlnMicrographName"], files["rlnMicrographCoordinates"], strict=True):
        written = _picks(project, str(file), kept)
        picks += len(written.fom)
        scores.append(written.fom)
        truth = _truth(project, str(name))
        if truth is not None:
            found += int((kinds_of(written.xy, truth) == PARTICLE).sum())
            true += int((truth.kinds == PARTICLE).sum())
    every = np.concatenate(scores)
    row: Row = {"particles_per_micrograph": round(picks / micrographs, 2)}
    fom = {name: float(np.quantile(every, q)) if len(every) else np.nan for name, q in _QUANTILES.items()}
    row |= {name: round(value, 4) for name, value in fom.items()}
    if true:
        precision, recall = found / picks if picks else 0.0, found / true
        both = precision + recall
        row |= {"precision": round(precision, 4), "recall": round(recall, 4)}
        row["f1"] = round(2 * precision * recall / both, 4) if both else 0.0
    return row


def _picks(project: Path, file: str, kept: dict[str, Any]) -> Written:
    """Positions in pixels and figures of merit in a file of coordinates; nan where it has none."""
    import numpy as np

    from cryoflow.files.coordinates import read_coordinates
    from cryoflow.jobs.autopick.map_cache import take_picks
    from cryoflow.jobs.autopick.output import Written
    from cryoflow.simulate.score import positions

    left = take_picks(kept, file)
    if left is not None:
        return left
    table = read_coordinates(project / file)
    column = table.get("rlnAutopickFigureOfMerit")
    return Written(
        positions(table), np.full(len(table), np.nan) if column is None else column.to_numpy(float)
    )


def _truth(project: Path, micrograph: str) -> Truth | None:
    files = (project / "truth" / "params.json", project / "truth" / f"{Path(micrograph).stem}.star")
    if not all(path.exists() for path in files):
        return None
    return _truth_of(project, micrograph, files[1].stat().st_mtime_ns)


@lru_cache(1024)
def _truth_of(project: Path, micrograph: str, _written: int) -> Truth:
    """Read the truth about a micrograph, once for all points."""
    from cryoflow.simulate.score import read_truth

    return read_truth(project, micrograph)


def write_table(directory: Path, table: SweepTable) -> None:
    """Write ``sweep.star`` and ``sweep.csv``."""
    from cryoflow.files.atomic import write_bytes
    from cryoflow.files.star import write_star

    rows = table.rows.astype(object).where(table.rows.notna(), "None") if _gaps(table) else table.rows
    write_star(directory / "sweep.star", {"sweep": rows})
    write_bytes(directory / "sweep.csv", table.rows.to_csv(index=False).encode())


def _gaps(table: SweepTable) -> bool:
    return bool(table.rows.isna().any(axis=None))
