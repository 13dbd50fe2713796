"""Which begun job the same command means when it is given again."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from cryoflow.errors import CryoflowError
from cryoflow.launch.inputs import with_files
from cryoflow.project.diff import same_work
from cryoflow.project.lock import is_running
from cryoflow.project.markers import FAILURE, succeeded
from cryoflow.project.names import job_directories, job_name, job_number
from cryoflow.project.record import RECORD, read_record
from cryoflow.spec import JobSpec, spec_dump


def unfinished(project: Path, spec: JobSpec) -> str:
    """Return the directory of a job that was begun with this spec and has not ended well, or nothing.

    With a number it is the job of that number. Without one it is the latest that was killed: one that has
    failed has told why, and the next attempt gets a number of its own.
    """
    if spec.number is not None:
        return _same(project, project / spec.job / job_name(spec.number), spec)
    folders = sorted(job_directories(project, spec.job), key=lambda path: job_number(path.name), reverse=True)
    names = (_same(project, folder, spec, killed=True) for folder in folders if not is_running(folder))
    return next((name for name in names if name), "")


def _same(project: Path, directory: Path, spec: JobSpec, killed: bool = False) -> str:
    record: dict[str, Any] = {}
    ended = succeeded(directory) or (killed and (directory / FAILURE).exists())
    if (directory / RECORD).exists() and not ended:
        with suppress(CryoflowError):
            record = read_record(directory)
    if not record or (killed and record.get("status") != "running"):
        return ""
    if same_work(record["spec"], spec_dump(with_files(project, spec))):
        return ""
    return f"{spec.job}/{directory.name}"
