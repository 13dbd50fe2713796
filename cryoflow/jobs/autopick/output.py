"""Output of a picking job: coordinates, their lists, a summary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.compute.pick.peaks import Picks
from cryoflow.files.atomic import unwritable
from cryoflow.files.coordinates import read_coordinates, write_suffix_file
from cryoflow.files.star import StarStyle, write_star
from cryoflow.files.star.format import as_written
from cryoflow.jobs.autopick.q_values import Judged
from cryoflow.jobs.autopick.statistics import Statistics, write_statistics
from cryoflow.jobs.autopick.thresholds import FILE as THRESHOLDS
from cryoflow.jobs.autopick.thresholds import Proposed, write_thresholds
from cryoflow.plain_files import open_append
from cryoflow.project.context import JobContext

SUFFIX = "autopick"
_COORDINATES, _FOM = ("rlnCoordinateX", "rlnCoordinateY"), "rlnAutopickFigureOfMerit"


class Picked(NamedTuple):
    """A micrograph that has been picked from."""

    name: str
    outputs: tuple[str, ...]
    """Project-relative; the coordinates come first."""
    particles: int
    mean_fom: float
    """As the coordinates' file has them; 0 without picks."""
    best_fom: float | None
    """Highest figure of merit, picked or not; None for a micrograph that was skipped."""
    kept: bool = False
    """An earlier run of the job had finished this micrograph."""
    statistics: Statistics | None = None
    """None where no candidates are kept."""


class Written(NamedTuple):
    """Picks as in their file, which is all that a later run knows of them."""

    xy: npt.NDArray[np.float64]
    """``(n, 2)`` pixels."""
    fom: npt.NDArray[np.float64]

    @property
    def mean_fom(self) -> float:
        """0 without picks."""
        return float(np.mean(self.fom)) if len(self.fom) else 0.0


def write_coordinates(path: Path, picks: Picks, style: StarStyle) -> Written:
    """Write the picks of a micrograph as RELION does; without picks, a table of columns only."""
    table = pick_table(picks)
    write_star(path, {"": table}, style)
    x, y, fom = (as_written(table[name].to_numpy()) for name in (*_COORDINATES, _FOM))
    return Written(np.column_stack((x, y)), fom)


def pick_table(picks: Picks) -> pd.DataFrame:
    """Picks with RELION's column names, best first."""
    return pd.DataFrame(
        {
            "rlnCoordinateX": picks.x.cpu().numpy(),
            "rlnCoordinateY": picks.y.cpu().numpy(),
            "rlnClassNumber": picks.reference.cpu().numpy() + 1,
            _FOM: picks.fom.double().cpu().numpy(),
            "rlnAnglePsi": picks.psi_deg.double().cpu().numpy(),
        }
    )


def picked_before(path: Path) -> tuple[int, float]:
    """Count and mean figure of merit of coordinates on disk, whoever wrote them."""
    table = read_coordinates(path)
    scores = table.get("rlnAutopickFigureOfMerit", pd.Series(0.0, index=table.index))
    return len(table), float(np.mean(scores.to_numpy(dtype="float64"))) if len(table) else 0.0


def write_lists(
    context: JobContext,
    micrograph_star: str,
    picked: Sequence[Picked],
    style: StarStyle,
    judged: Judged | None = None,
    proposed: Proposed | None = None,
) -> tuple[str, ...]:
    """Write RELION 3's and 4's list of coordinates, summary, statistics, proposals; return their names.

    RELION 3's is not a STAR file but one line, the name of the micrographs' table.
    """
    suffix, listed, summary = (
        context.directory / name for name in ("coords_suffix_autopick.star", "autopick.star", "summary.star")
    )
    write_suffix_file(suffix, micrograph_star)
    names = [one.name for one in picked]
    files = {"rlnMicrographName": names, "rlnMicrographCoordinates": [one.outputs[0] for one in picked]}
    write_star(listed, {"coordinate_files": pd.DataFrame(files)}, style)
    numbers = {
        "rlnMicrographName": names,
        "rlnAutopickFigureOfMerit": [one.mean_fom for one in picked],
        "rlnGroupNrParticles": [one.particles for one in picked],
    }
    write_star(summary, {"": pd.DataFrame(numbers)}, style)
    written = [suffix, listed, summary]
    rows = [(one.name, one.statistics) for one in picked if one.statistics is not None]
    if rows:
        written.append(context.directory / "statistics.star")
        write_statistics(written[-1], rows, judged.expected if judged else {})
    if proposed is not None:
        written.append(context.directory / THRESHOLDS)
        write_thresholds(written[-1], proposed)
    if judged is not None:
        written.append(judged.output)
    return tuple(context.relative(path) for path in written)


class Finished:
    """Micrographs that this job has finished, and their settings; survives a kill.

    One line per micrograph, ``fingerprint name``, appended once its coordinates are written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, str] = {}
        if path.exists():
            for line in path.read_text("utf-8", "surrogateescape").splitlines():
                fingerprint, _, name = line.partition(" ")
                self._known[name] = fingerprint

    def has(self, name: str, fingerprint: str) -> bool:
        """Whether the micrograph was finished with exactly this fingerprint."""
        return self._known.get(name) == fingerprint

    def add(self, name: str, fingerprint: str) -> None:
        """Note a micrograph as finished."""
        try:
            with open_append(self.path) as file:
                file.write(f"{fingerprint} {name}\n")
        except OSError as error:
            raise unwritable(self.path, error) from error
