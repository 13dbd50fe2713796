"""RELION's ``Trash``, which keeps replaced results."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from cryoflow.errors import CryoflowError
from cryoflow.project.directory import check_inside
from cryoflow.project.lock import is_running
from cryoflow.project.names import TRASH

#: Replaced results kept of a job: ``Trash/AutoPick/job010``, then ``job010.2`` and so on, older and older.
GENERATIONS = 3


def discard_job(project: Path, name: str) -> None:
    """Move a job's directory to the trash, and remove the oldest there.

    Parameters
    ----------
    project : Path
        Absolute project root.
    name : str
        ``AutoPick/job010``.

    Raises
    ------
    CryoflowError
        If the trash is a link that leads out of the project.
    """
    places = _places(project, name)
    check_inside(project, places[0].parent)
    places[0].parent.mkdir(parents=True, exist_ok=True)
    if all(os.path.lexists(path) for path in places):
        _remove(places[-1])
    free = next(number for number, path in enumerate(places) if not os.path.lexists(path))
    for number in range(free, 0, -1):
        places[number - 1].rename(places[number])
    (project / name).rename(places[0])


def restore_job(project: Path, name: str) -> bool:
    """Exchange a job's directory with the latest of the trash; return whether there was one to exchange.

    Raises
    ------
    CryoflowError
        If the trash has no results of this job, or a process is running it.
    """
    here, there = project / name, _places(project, name)[0]
    if not there.is_dir():
        raise CryoflowError(f"{TRASH}/{name}: no such directory; nothing was replaced in {name}")
    if not here.exists():
        there.rename(here)
        return False
    if is_running(here):
        raise CryoflowError(f"{name}: another process is running this job; wait until it has finished")
    aside = there.with_name(f".{secrets.token_hex(4)}")
    there.rename(aside)
    here.rename(there)
    aside.rename(here)
    return True


def _places(project: Path, name: str) -> list[Path]:
    """Paths of the generations of a job, the latest first."""
    first = project / TRASH / name
    return [first, *(first.with_name(f"{first.name}.{number}") for number in range(2, GENERATIONS + 1))]


def _remove(directory: Path) -> None:
    """Hide a directory before it is removed, so that remains after a kill do no harm."""
    if directory.is_symlink():
        directory.unlink()
        return
    hidden = directory.with_name(f".{secrets.token_hex(4)}")
    directory.rename(hidden)
    shutil.rmtree(hidden)
