"""A project small enough to run real jobs on in no time: selections by score from one table."""

import csv
import os
from pathlib import Path

import pytest

from cryoflow.cli import main

TABLE = """
data_

loop_
_rlnImageName #1
_rlnMicrographName #2
_rlnCoordinateX #3
_rlnParticleSelectZScore #4
000001@Extract/job012/a.mrcs Micrographs/a.mrc 10.0 0.1
000002@Extract/job012/a.mrcs Micrographs/a.mrc 20.0 0.4
000003@Extract/job012/a.mrcs Micrographs/a.mrc 30.0 0.9
"""

SPEC = """
job: Select
number: {number}
alias: {alias}
io:
  OR select from particles.star: {source}
subsets:
  Select based on metadata values?: Yes
  Metadata label for subset selection: rlnParticleSelectZScore
  Minimum metadata value: -1
  Maximum metadata value: {most}
"""


def make_project(folder: Path) -> Path:
    """Make a project with one table of three particles."""
    table = folder / "Extract" / "job012" / "particles.star"
    table.parent.mkdir(parents=True)
    table.write_text(TABLE)
    os.utime(table, ns=(10**18, 10**18))
    return folder


def select_spec(
    path: Path,
    most: float = 0.5,
    source: str = "Extract/job012/particles.star",
    number: object = "-",
    alias: str = "-",
) -> Path:
    """Write the spec of a job that keeps the particles with a score up to ``most``."""
    path.write_text(SPEC.format(number=number, alias=alias, source=source, most=most))
    return path


@pytest.fixture
def one_selection(tmp_path: Path, no_pictures: None) -> Path:
    """A project, and beside it ``spec.yaml``, a selection from its table."""
    select_spec(tmp_path / "spec.yaml")
    return make_project(tmp_path / "project")


def cryoflow(project: Path, *words: object) -> int:
    """Run a command of the command line in this process."""
    command, *rest = map(str, words)
    return main([command, "--project", str(project), *rest])


def sweep_rows(project: Path, sweep: str = "sweep001") -> list[dict[str, str]]:
    """Return the table of a sweep."""
    with (project / "Sweep" / sweep / "sweep.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def kept(project: Path, job: str) -> int:
    """Return how many particles a selection has kept."""
    return (project / job / "particles.star").read_text().count("@Extract/job012/a.mrcs")
