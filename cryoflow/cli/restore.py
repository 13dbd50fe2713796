"""``cryoflow restore``."""

from __future__ import annotations

import argparse

from cryoflow.cli.place import add_project, project_of
from cryoflow.errors import CryoflowError
from cryoflow.screen import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``restore``."""
    parser.add_argument("job", metavar="JOB_DIR", help="e.g. AutoPick/job010")
    add_project(parser)
    parser.set_defaults(call=restore)


def restore(options: argparse.Namespace) -> int:
    """Exchange the latest replaced results of a job with those in its directory.

    Running it twice changes nothing.
    """
    from cryoflow.project.names import TRASH, is_job_name, without_alias
    from cryoflow.project.trash import restore_job

    project = project_of(options)
    name = without_alias(project, options.job.rstrip("/"))
    if name.count("/") != 1 or not is_job_name(name.partition("/")[2]):
        raise CryoflowError(f"{options.job}: not a job of the project; expected e.g. AutoPick/job010")
    exchanged = restore_job(project, name)
    say(
        f"{name}: earlier results restored{f'; the replaced ones are in {TRASH}/{name}' if exchanged else ''}"
    )
    return 0
