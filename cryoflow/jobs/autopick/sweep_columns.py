"""Results of a picking job for the table of a sweep: picks, figures of merit, and scores if the truth is
known.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cryoflow.compute.pick.valley import find_valley
from cryoflow.files.coordinates import read_coordinates
from cryoflow.files.star import read_star, table_block
from cryoflow.jobs.autopick.map_cache import PickingCache
from cryoflow.jobs.autopick.output import Written
from cryoflow.jobs.autopick.q_values import FILE as SCORES
from cryoflow.jobs.autopick.q_values import FOM, Q_LEVEL
from cryoflow.project.context import SweepCache
from cryoflow.simulate.score import PARTICLE, Truth, kinds_of, positions, read_truth
from cryoflow.spec import AutoPick

_QUANTILES = {"fom_10": 0.1, "fom_50": 0.5, "fom_90": 0.9}


def sweep_columns(
    project: Path, job: str, counts: Mapping[str, Any], cache: SweepCache | None
) -> dict[str, Any]:
    """Return what the table of a sweep says of a picking job, by column.

    Parameters
    ----------
    project : Path
        Project root; a simulated one has the true positions.
    job : str
        Project-relative job directory.
    counts : mapping
        The job's counts.
    cache : SweepCache or None
        That of the sweep; picks that the job left in it are not read from disk.

    Returns
    -------
    dict
        Particles per micrograph, quantiles of the figures of merit (nan without picks), and, where the truth
        is known, precision, recall and their harmonic mean. ``valley`` of the figures of merit, where it is
        clear. With decoys, ``q05_picks`` counts q-values of at most 0.05, down to ``q05_threshold``.
    """
    path = project / job / "autopick.star"
    files = table_block(path, read_star(path), "coordinate_files")
    scores, found, true, picks = [], 0, 0, 0
    for name, file in zip(files["rlnMicrographName"], files["rlnMicrographCoordinates"], strict=True):
        written = _picks(project, str(file), cache)
        picks += len(written.fom)
        scores.append(written.fom)
        truth = _truth(project, str(name))
        if truth is not None:
            found += int((kinds_of(written.xy, truth) == PARTICLE).sum())
            true += int((truth.kinds == PARTICLE).sum())
    every = np.concatenate(scores)
    micrographs = max(1, counts.get("micrographs", 1))
    row: dict[str, Any] = {"particles_per_micrograph": round(picks / micrographs, 2)}
    fom = {name: float(np.quantile(every, q)) if len(every) else np.nan for name, q in _QUANTILES.items()}
    row |= {name: round(value, 4) for name, value in fom.items()}
    row |= _proposals(every) | _q_columns(project / job / SCORES)
    if true:
        precision, recall = found / picks if picks else 0.0, found / true
        both = precision + recall
        row |= {"precision": round(precision, 4), "recall": round(recall, 4)}
        row["f1"] = round(2 * precision * recall / both, 4) if both else 0.0
    return row


def sweep_names(spec: AutoPick, project: Path) -> tuple[str, ...]:
    """Return the columns of a point besides its counts that can serve as an objective."""
    decoys = ("expected_false", "expected_false_shape", "q05_picks") if spec.statistics.decoys else ()
    truth = ("precision", "recall", "f1") if (project / "truth" / "params.json").exists() else ()
    return ("particles_per_micrograph", *_QUANTILES, *decoys, *truth)


def _proposals(fom: npt.NDArray[np.float64]) -> dict[str, Any]:
    valley = find_valley(fom)
    return {} if valley is None else {"valley": round(valley.threshold, 4)}


def _q_columns(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    table = table_block(path, read_star(path), "")
    sure = table[table["cryoflowQValue"] <= Q_LEVEL]
    row: dict[str, Any] = {"q05_picks": len(sure)}
    return row | ({"q05_threshold": round(float(sure[FOM].min()), 4)} if len(sure) else {})


def _picks(project: Path, file: str, cache: SweepCache | None) -> Written:
    """Positions in pixels and figures of merit in a file of coordinates; nan where it has none."""
    written = None if cache is None else cache.part(PickingCache).picks.pop(file, None)
    if written is not None:
        return written
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
    return read_truth(project, micrograph)
