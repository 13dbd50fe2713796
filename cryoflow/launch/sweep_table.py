"""One row a point: what was set, how it ended, what came out, and how right that is if the truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cryoflow.launch.job import Outcome
from cryoflow.project.record import read_record

if TYPE_CHECKING:
    import pandas as pd

    from cryoflow.simulate.score import Truth

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


def make_table(project: Path, points: Sequence[Sequence[str]], outcomes: Sequence[Outcome]) -> SweepTable:
    """Gather what the points have found.

    Parameters
    ----------
    project : Path
        Absolute project root.
    points : sequence of sequence of str
        ``field=value`` of every point.
    outcomes : sequence of Outcome
        How they ended.
    """
    import pandas as pd

    truths: dict[str, Truth | None] = {}
    values = [{name: value for name, _, value in (v.partition("=") for v in point)} for point in points]
    several = [name for name in values[0] if len({point[name] for point in values}) > 1]
    varied = {name: name.rpartition(".")[2] for name in several or values[0]}
    rows = pd.DataFrame(
        [
            {short: point[name] for name, short in varied.items()} | results(project, outcome, truths)
            for point, outcome in zip(values, outcomes, strict=True)
        ]
    )
    for short in varied.values():
        numbers = pd.to_numeric(rows[short], errors="coerce")
        if numbers.notna().all():
            rows[short] = numbers
    apart = {*varied.values(), "job", "state", "seconds"}
    shown = tuple(name for name in rows.columns if name not in apart and rows[name].nunique() > 1)
    return SweepTable(rows, tuple(varied.values()), shown)


def results(project: Path, outcome: Outcome, truths: dict[str, Truth | None] | None = None) -> dict[str, Any]:
    """Return what one point has found, by column; ``truths`` keeps what was read of the truth for others."""
    row: dict[str, Any] = {"job": outcome.directory or "none", "state": _STATES[outcome.code]}
    if not outcome.directory or outcome.code == 1:
        return row
    record = read_record(project / outcome.directory)
    counts = {name: value for name, value in record["counts"].items() if name != "kept"}
    row |= counts | {"seconds": record["timings"]["seconds"].get("job")}
    if record["spec"]["job"] == "AutoPick":
        row |= _picking(
            project, outcome.directory, max(1, counts.get("micrographs", 1)), {} if truths is None else truths
        )
    return row


def _picking(project: Path, job: str, micrographs: int, truths: dict[str, Truth | None]) -> dict[str, Any]:
    import numpy as np

    from cryoflow.files.coordinates import read_coordinates
    from cryoflow.files.star import read_star, table_block
    from cryoflow.simulate.score import PARTICLE, kinds_of, positions

    path = project / job / "autopick.star"
    files = table_block(path, read_star(path), "coordinate_files")
    scores, found, true, picks = [], 0, 0, 0
    for name, file in zip(files["rlnMicrographName"], files["rlnMicrographCoordinates"], strict=True):
        table = read_coordinates(project / file)
        picks += len(table)
        column = table.get("rlnAutopickFigureOfMerit")
        scores.append(np.full(len(table), np.nan) if column is None else column.to_numpy(float))
        truth = _truth(project, str(name), truths)
        if truth is not None:
            found += int((kinds_of(positions(table), truth) == PARTICLE).sum())
            true += int((truth.kinds == PARTICLE).sum())
    every = np.concatenate(scores)
    row: dict[str, Any] = {"particles_per_micrograph": round(picks / micrographs, 2)}
    fom = {name: float(np.quantile(every, q)) if len(every) else np.nan for name, q in _QUANTILES.items()}
    row |= {name: round(value, 4) for name, value in fom.items()}
    if true:
        precision, recall = found / picks if picks else 0.0, found / true
        both = precision + recall
        row |= {"precision": round(precision, 4), "recall": round(recall, 4)}
        row["f1"] = round(2 * precision * recall / both, 4) if both else 0.0
    return row


def _truth(project: Path, micrograph: str, truths: dict[str, Truth | None]) -> Truth | None:
    from cryoflow.simulate.score import read_truth

    if micrograph not in truths:
        there = (project / "truth" / "params.json").exists() and (
            project / "truth" / f"{Path(micrograph).stem}.star"
        ).exists()
        truths[micrograph] = read_truth(project, micrograph) if there else None
    return truths[micrograph]


def write_table(directory: Path, table: SweepTable) -> None:
    """Write ``sweep.star`` and ``sweep.csv``."""
    from cryoflow.files.atomic import write_bytes
    from cryoflow.files.star import write_star

    rows = table.rows.astype(object).where(table.rows.notna(), "None") if _gaps(table) else table.rows
    write_star(directory / "sweep.star", {"sweep": rows})
    write_bytes(directory / "sweep.csv", table.rows.to_csv(index=False).encode())


def _gaps(table: SweepTable) -> bool:
    return bool(table.rows.isna().any(axis=None))
