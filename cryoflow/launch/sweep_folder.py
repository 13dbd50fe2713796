"""``Sweep/sweepNNN``: which points a sweep has, which of them are done, and what came out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from cryoflow.errors import CryoflowError
from cryoflow.files.atomic import write_bytes
from cryoflow.launch.job import Outcome
from cryoflow.project.record import versions

FOLDER, RECORD = "Sweep", "sweep_record.yaml"

_POINTS = "points.txt"


class Sweep(NamedTuple):
    """A sweep on disk.

    Attributes
    ----------
    directory : Path
        ``<project>/Sweep/sweep001``.
    done : dict of int to Outcome
        Points that have ended, by their place; grows as points end.
    begun_before : bool
        Whether this takes up a sweep that was killed.
    """

    directory: Path
    done: dict[int, Outcome]
    begun_before: bool

    def note(self, place: int, outcome: Outcome) -> None:
        """Keep how a point has ended; one line, appended at once."""
        self.done[place] = outcome
        with (self.directory / _POINTS).open("a", encoding="utf-8") as file:
            file.write(json.dumps([place, *outcome]) + "\n")


def open_sweep(project: Path, command: str, points: Sequence[Sequence[str]], job: str) -> Sweep:
    """Begin a sweep, or take up the one that the same command has begun and not finished."""
    wanted = {"command": command, "job": job, "points": [list(point) for point in points]}
    for directory in sorted((project / FOLDER).glob("sweep[0-9][0-9][0-9]*"), reverse=True):
        record = read_sweep(directory)
        if record.get("status") == "running" and all(record.get(key) == wanted[key] for key in wanted):
            return Sweep(directory, _done(directory, project), True)
    directory = _make(project / FOLDER)
    write_sweep(directory, {**wanted, "status": "running", "versions": versions()})
    return Sweep(directory, {}, False)


def find_sweep(project: Path, given: str) -> Path:
    """Return the directory of a sweep, given as ``Sweep/sweep001``, ``sweep001`` or any path.

    Raises
    ------
    CryoflowError
        If there is none.
    """
    for path in (project / given, project / FOLDER / given, Path(given)):
        if (path / RECORD).exists():
            return path
    raise CryoflowError(f"{given}: no sweep in {project}; expected e.g. {FOLDER}/sweep001")


def read_sweep(directory: Path) -> dict[str, Any]:
    """Return the record of a sweep; empty where there is none."""
    try:
        record = yaml.safe_load((directory / RECORD).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return {}
    return record if isinstance(record, dict) else {}


def write_sweep(directory: Path, record: dict[str, Any]) -> None:
    """Write the record of a sweep as sorted YAML."""
    text = yaml.safe_dump(record, sort_keys=True, allow_unicode=True, width=4096)
    write_bytes(directory / RECORD, text.encode())


def _done(directory: Path, project: Path) -> dict[int, Outcome]:
    """Return the points that have ended, but for failures: those get another chance."""
    found: dict[int, Outcome] = {}
    path = directory / _POINTS
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            place, *rest = json.loads(line)
        except ValueError:  # half a line: killed while writing
            continue
        outcome = Outcome(*rest)
        if outcome.directory and outcome.code != 1 and (project / outcome.directory).is_dir():
            found[int(place)] = outcome
    return found


def _make(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    number = 1 + max((int(path.name[5:]) for path in folder.glob("sweep[0-9][0-9][0-9]*")), default=0)
    while True:
        directory = folder / f"sweep{number:03d}"
        try:
            directory.mkdir()
        except FileExistsError:
            number += 1
        else:
            return directory
