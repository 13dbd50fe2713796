"""Points of a sweep that an earlier run has begun, found again by their records."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from cryoflow.errors import CryoflowError
from cryoflow.launch.inputs import with_files
from cryoflow.launch.job.run import Outcome, Request, run_job
from cryoflow.project.context import SweepCache
from cryoflow.project.diff import work_key
from cryoflow.project.lock import is_running
from cryoflow.project.markers import succeeded
from cryoflow.project.record import RECORD, read_record
from cryoflow.project.verify import changed_files
from cryoflow.spec import JobSpec, spec_dump

#: What a point computes (see `work_key`) -> its directory, and the exit code if it has ended well.
Known: TypeAlias = dict[str, tuple[str, int | None]]

_CODES = {"succeeded": 0, "partial": 2}


def points_before(project: Path, job: str, sweep: str) -> Known:
    """Return the points of a sweep that have ended well or were killed.

    Those that failed may try again, and so do those whose inputs are not what they were.

    Raises
    ------
    CryoflowError
        If a process still runs one of them: the sweep was killed, its workers were not.
    """
    known: Known = {}
    for directory in sorted((project / job).glob("job[0-9][0-9][0-9]*")):
        status, key = _point(directory, sweep)
        name = f"{job}/{directory.name}"
        if status and is_running(directory):
            raise CryoflowError(f"{name}: a worker of the killed {sweep} still runs this; wait for it to end")
        if status in _CODES and succeeded(directory):
            if changed_files(project, read_record(directory), ("input",)):
                continue
            known[key] = (name, _CODES[status])
        elif status in {"running", *_CODES}:
            known.setdefault(key, (name, None))
    return known


def run_point_once(spec: JobSpec, request: Request, known: Known, cache: SweepCache | None = None) -> Outcome:
    """Run a point of a sweep, unless it has ended before; one that was killed goes on where it was."""
    if not known:
        return run_job(spec, request, cache)
    key = work_key(spec_dump(with_files(Path(request.project), spec)))
    directory, code = known.get(key, ("", None))
    if code is not None:
        return Outcome(directory, code, "was done before")
    return run_job(spec, request._replace(continued=directory), cache)


def _point(directory: Path, sweep: str) -> tuple[str, str]:
    """Return status and key of a point of the sweep; nothing for any other job."""
    with suppress(OSError, CryoflowError):
        if f"sweep: {sweep}\n".encode() in (directory / RECORD).read_bytes():
            record = read_record(directory)
            return str(record.get("status")), work_key(record["spec"])
    return "", ""
