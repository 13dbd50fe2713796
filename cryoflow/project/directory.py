"""Make, find and name job directories: ``Type/jobNNN``, with an alias as a link next to it."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cryoflow.errors import CryoflowError
from cryoflow.project.names import is_job_name, job_directories, job_name, job_number
from cryoflow.project.pipeline import PIPELINE, job_counter

#: Folder of cryoflow's own files in a project.
HIDDEN = ".cryoflow"

#: Points of sweeps and reruns get numbers from the next multiple of this on: those that follow the latest job
#: are the next steps'.
GAP = 100

#: Folders of job types, of RELION 3 and later: a job directory in one of them has its number in any case.
JOB_FOLDERS = frozenset(
    (
        *(
            "Import",
            "MotionCorr",
            "CtfFind",
            "ManualPick",
            "AutoPick",
            "Extract",
            "Sort",
            "Select",
            "Class2D",
        ),
        *("InitialModel", "Class3D", "Refine3D", "MultiBody", "Subtract", "JoinStar", "MaskCreate"),
        *("PostProcess", "LocalRes", "CtfRefine", "Polish", "MovieRefine", "External"),
    )
)


def check_writable(project: Path, job: str = "") -> None:
    """Refuse a project that is absent or read-only, before anything is written.

    Raises
    ------
    CryoflowError
        With one line that names the folder.
    """
    if not project.is_dir():
        raise CryoflowError(f"{project}: no such project directory; give an existing one with --project")
    for folder in (project, project / job):
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            raise CryoflowError(
                f"{folder}: the project is read-only, nothing was written; use a copy or change permissions"
            )


def check_project(project: Path) -> None:
    """Refuse a folder that is no project: no jobs, no pipeline file, no files of cryoflow.

    Raises
    ------
    CryoflowError
        With one line that names the folder.
    """
    made = any((project / name).exists() for name in (PIPELINE, HIDDEN))
    if not made and next(job_directories(project), None) is None:
        what = "no jobs and no default_pipeline.star here" if project.is_dir() else "no such folder"
        raise CryoflowError(f"{project}: {what}; give the folder of a project with --project")


def check_inside(project: Path, folder: Path) -> None:
    """Refuse a folder that a link, or one of its own folders, leads out of the project: jobs write there.

    Links to inputs elsewhere are normal; a job's folder and what is in it are its own.

    Raises
    ------
    CryoflowError
        With the folder and where it leads.
    """
    root = project.resolve()
    below = (
        [Path(at, name) for at, names, _ in os.walk(folder) for name in names]
        if is_job_name(folder.name)
        else []
    )
    for path in (folder, *below):
        real = path.resolve()
        if not real.is_relative_to(root):
            raise CryoflowError(f"{path}: a link leads out of the project, to {real}; remove it")


def make_job_directory(
    project: Path,
    job: str,
    number: int | None = None,
    alias: str | None = None,
    fill: Callable[[Path], None] | None = None,
    apart: bool = False,
) -> Path:
    """Make ``<project>/<job>/jobNNN`` and its alias.

    Parameters
    ----------
    project : Path
        Absolute project root.
    job : str
        Job type, e.g. ``AutoPick``.
    number : int, optional
        A fixed number; without it the next one that no job of any type has.
    alias : str, optional
        Name of a link to the directory, next to it.
    fill : callable, optional
        Writes first files into the directory, which appears together with them: if the process is killed,
        there is either no directory or one that names its owner.
    apart : bool
        Whether the number comes from above a gap, see `GAP`.

    Raises
    ------
    CryoflowError
        If the number or the alias is in use, or the project is read-only.
    """
    check_writable(project, job)
    check_free(project, job, number, alias)
    try:
        directory = _make(project, job, number, fill, apart)
        if alias and not _claim_alias(directory, alias):
            shutil.rmtree(directory)
            raise _alias_taken(project, job, alias)
    except OSError as error:
        raise CryoflowError(f"{project / job}: cannot make a job directory: {error.strerror}") from error
    return directory


def check_free(project: Path, job: str, number: int | None, alias: str | None) -> None:
    """Refuse a number or an alias that is in use.

    RELION numbers the jobs of all types of a project together.

    Raises
    ------
    CryoflowError
        With one line that names the directory.
    """
    if number is not None:
        same = project / job / job_name(number)
        for path in [same, *sorted(project.glob(f"*/{job_name(number)}"))]:
            if path.exists() and (path == same or _is_job(path)):
                raise _taken(path.relative_to(project).as_posix())
    if alias and (project / job / alias).exists():
        raise _alias_taken(project, job, alias)


def find_job_directory(project: Path, given: str | os.PathLike[str]) -> Path:
    """Return the absolute ``<project>/Type/jobNNN`` for a path or an alias as a user gives it.

    Raises
    ------
    CryoflowError
        If there is no such directory, or it is no job directory of this project.
    """
    path = project / given
    if not path.is_dir():
        path = Path(given).absolute()
    if not path.is_dir():
        raise CryoflowError(f"{given}: no such job directory in {project}; `cryoflow status` lists the jobs")
    real, root = path.resolve(), project.resolve()
    if real.parent.parent != root or not is_job_name(real.name):
        raise CryoflowError(f"{given}: not a job directory of {project}; expected e.g. AutoPick/job010")
    return project / real.relative_to(root)


def link_alias(directory: Path, alias: str) -> None:
    """Point an alias to a job directory, wherever it pointed before."""
    link = directory.parent / alias
    new = link.with_name(f".{secrets.token_hex(4)}")
    new.symlink_to(directory.name)
    new.replace(link)


def alias_of(directory: Path) -> str | None:
    """Return the alias of a job directory, if it has one."""
    names = aliases_in(directory.parent).items()
    return min((alias for alias, job in names if job == directory.name), default=None)


def aliases_in(folder: Path) -> dict[str, str]:
    """Return the aliases in the folder of a job type, and the directory that each of them means."""
    found = {}
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):  # it may be gone by now
                if entry.is_symlink() and entry.name[0] != ".":
                    found[entry.name] = Path(entry.path).readlink().name
    return found


def _is_job(directory: Path) -> bool:
    """Return whether a directory of a job's name is a job's, or only looks like one, as in a backup."""
    known = directory.parent.name in JOB_FOLDERS
    return known or any((directory / name).exists() for name in ("run.job", "job.star", "note.txt"))


def _make(
    project: Path, job: str, number: int | None, fill: Callable[[Path], None] | None, apart: bool
) -> Path:
    (project / job).mkdir(exist_ok=True)
    while True:
        directory = project / job / job_name(_claim_number(project, apart) if number is None else number)
        if _appears(directory, fill):
            return directory
        if number is not None:
            raise _taken(f"{job}/{directory.name}")


def _appears(directory: Path, fill: Callable[[Path], None] | None) -> bool:
    """Make a directory with its first files, unless there is one already."""
    if fill is None:
        try:
            directory.mkdir()
        except FileExistsError:
            return False
        return True
    new = directory.with_name(f".{secrets.token_hex(4)}")
    new.mkdir()
    try:
        fill(new)
        if not directory.exists():  # an empty one would be replaced silently
            new.rename(directory)
    except OSError as error:
        if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:
            raise
    finally:
        made = not new.exists()
        shutil.rmtree(new, ignore_errors=True)
    return made


def _claim_number(project: Path, apart: bool) -> int:
    """Claim a number that no other process gets: a directory can be made only once."""
    claims, others = project / HIDDEN / "numbers", project / HIDDEN / "apart"
    for folder in (claims, others):
        folder.mkdir(parents=True, exist_ok=True)
    used = {job_number(path.name) for path in job_directories(project)}
    number = _first_apart(used, others) if apart else max(max(used, default=0) + 1, job_counter(project))
    while number in used or not _is_new(claims / job_name(number)):
        number += 1
    if apart:
        (others / job_name(number)).touch()
    return number


def _first_apart(used: set[int], others: Path) -> int:
    """Return the first number above the gap that follows the jobs that do not lie above one themselves."""
    apart = {job_number(path.name) for path in others.iterdir()}
    return (max(used - apart, default=0) // GAP + 1) * GAP


def _is_new(claim: Path) -> bool:
    try:
        claim.mkdir()
    except FileExistsError:
        return False
    return True


def _claim_alias(directory: Path, alias: str) -> bool:
    """Point an alias to a new job; False if another process was first. A dangling link is replaced."""
    link = directory.parent / alias
    try:
        link.symlink_to(directory.name)
    except FileExistsError:
        if link.exists() and link.resolve().name != directory.name:
            return False
        link_alias(directory, alias)
    return True


def _alias_taken(project: Path, job: str, alias: str) -> CryoflowError:
    meant = (project / job / alias).resolve().name
    return CryoflowError(f"{job}/{alias}: this alias belongs to {meant}; add alias=- or alias=NAME")


def _taken(name: str) -> CryoflowError:
    return CryoflowError(
        f"{name}: exists already; add number=- for a new job, or --continue {name} to replace its results"
    )
