"""Find the project and the job of a command."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple


class Place(NamedTuple):
    """Absolute project root and job directory."""

    project: Path
    directory: Path

    @property
    def name(self) -> str:
        """``AutoPick/job010``."""
        return f"{self.directory.parent.name}/{self.directory.name}"


def add_project(parser: argparse.ArgumentParser) -> None:
    """Declare ``--project``."""
    text = "project root (default: that of the job directory, or the current directory)"
    parser.add_argument("--project", type=Path, default=None, metavar="DIR", help=text)


def project_of(options: argparse.Namespace) -> Path:
    """Return the absolute project root of a command that takes no job directory."""
    return (options.project or Path()).absolute()


def job_place(options: argparse.Namespace, given: str) -> Place:
    """Find a job directory, given relative to the project or as any path, or by its alias.

    Raises
    ------
    CryoflowError
        If there is none.
    """
    from cryoflow.project.directory import find_job_directory

    project: Path = project_of(options)
    if options.project is None and Path(given).is_dir():
        project = Path(given).resolve().parent.parent
    return Place(project, find_job_directory(project, given))
