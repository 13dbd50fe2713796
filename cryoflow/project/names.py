"""Names of jobs: ``AutoPick/job010``, and by alias ``AutoPick/optimise_params``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

#: Where RELION moves deleted jobs.
TRASH = "Trash"

_JOB_NAME = re.compile(r"job\d{3,}")


def job_name(number: int) -> str:
    """Return ``job010`` for 10."""
    return f"job{number:03d}"


def is_job_name(name: str) -> bool:
    """Return whether a directory of this name is a job's."""
    return _JOB_NAME.fullmatch(name) is not None


def job_number(name: str) -> int:
    """Return 10 for ``AutoPick/job010``."""
    return int(name.rpartition("job")[2])


def name_of(directory: Path) -> str:
    """Return ``AutoPick/job010`` for a job directory."""
    return f"{directory.parent.name}/{directory.name}"


def job_directories(project: Path, job: str = "*") -> Iterator[Path]:
    """Yield directories with the name of a job, of one type or of all, in no order."""
    for folder in project.glob(job):
        with suppress(OSError):  # not a folder, or one that another process has just removed, as locks are
            yield from (path for path in folder.iterdir() if is_job_name(path.name))


def without_alias(project: Path, name: str) -> str:
    """Return ``AutoPick/job010`` for ``AutoPick/optimise_params``; other names stay as they are."""
    link = project / name
    return f"{link.parent.name}/{link.readlink().name}" if link.is_symlink() else name
