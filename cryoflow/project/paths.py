"""Names inside a project: always relative to its root, always with ``/``."""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path

from cryoflow.errors import FileError

_ITERATION = re.compile(r"_it\d+_")


def relative_to_project(project: Path, path: str | PathLike[str]) -> str:
    """Return ``path`` relative to the project root, in POSIX form.

    A relative path is taken as relative to the root already; a path outside the project stays absolute.
    Links are not followed: an alias or a linked data folder keeps the name that the user gave it.
    """
    given = Path(path)
    if not given.is_absolute():
        return given.as_posix()
    return given.relative_to(project).as_posix() if given.is_relative_to(project) else given.as_posix()


def resolve_in_project(project: Path, name: str | PathLike[str]) -> Path:
    """Return the absolute path of a project-relative (or absolute) name.

    Raises
    ------
    FileError
        If it does not exist.
    """
    path = project / name
    if not path.exists():
        latest = _latest_iteration(path)
        where = "check the path in the spec, or in the table that names it"
        where = f"the last iteration there is {latest}" if latest else where
        raise FileError(name, f"no such file in the project {project}; {where}")
    return path


def _latest_iteration(path: Path) -> str | None:
    """Name of the same file of the last iteration, as ``run_it010_model.star`` for ``run_it025_*``."""
    names = path.parent.glob(_ITERATION.sub("_it[0-9]*_", path.name))
    return max((found.name for found in names), default=None) if _ITERATION.search(path.name) else None
