"""``Sweep/sweepNNN``: which points a sweep has, which of them are done, and what came out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cryoflow.errors import CryoflowError, FileError
from cryoflow.launch.previous_runs import Known, points_before
from cryoflow.project.lock import is_running
from cryoflow.project.record import read_checked, versions, write_sorted
from cryoflow.project.record_model import FORMAT
from cryoflow.screen import print_error

FOLDER, RECORD = "Sweep", "sweep_record.yaml"


class Sweep(NamedTuple):
    """A sweep on disk.

    Attributes
    ----------
    directory : Path
        ``<project>/Sweep/sweep001``.
    known : dict
        Points that an earlier, interrupted run of this sweep has started or finished.
    """

    directory: Path
    known: Known

    @property
    def name(self) -> str:
        """``Sweep/sweep001``."""
        return f"{self.directory.parent.name}/{self.directory.name}"


def open_sweep(project: Path, command: str, points: Sequence[Sequence[str]], job: str) -> Sweep:
    """Start a sweep, or resume the one that the same command has started and not finished.

    Points that were killed or have failed are left to do.

    Raises
    ------
    CryoflowError
        If workers of the interrupted run are still running.
    """
    wanted = {"command": command, "job": job, "points": [list(point) for point in points]}
    for directory in sorted((project / FOLDER).glob("sweep[0-9][0-9][0-9]*"), reverse=True):
        try:
            record = read_sweep(directory)
        except FileError as error:
            print_error(f"warning: {error}; it is not resumed")
            continue
        same = all(record.get(key) == wanted[key] for key in wanted)
        if same and _has_more(record) and not is_running(directory):
            write_sweep(directory, {**record, "status": "running"})
            return Sweep(directory, points_before(project, job, f"{FOLDER}/{directory.name}"))
    directory = _make(project / FOLDER)
    write_sweep(directory, {**wanted, "format": FORMAT, "status": "running", "versions": versions()})
    return Sweep(directory, {})


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
    """Return the record of a sweep, see `record_model.SweepRecord`; empty where there is none.

    Raises
    ------
    FileError
        If it cannot be read as one.
    """
    path = directory / RECORD
    try:
        return read_checked(path, "SweepRecord")
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise FileError(path, f"is no record of a sweep: {error}") from error


def write_sweep(directory: Path, record: dict[str, Any]) -> None:
    """Write the record of a sweep as sorted YAML."""
    write_sorted(directory / RECORD, record)


def _has_more(record: dict[str, Any]) -> bool:
    """Return whether there are points that have not finished, have failed or were refused."""
    jobs = record.get("jobs", ())
    return record.get("status") == "running" or any(one["code"] == 1 or not one["job"] for one in jobs)


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
