"""``cryoflow init``."""

from __future__ import annotations

import argparse

from cryoflow.cli.place import add_project, project_of
from cryoflow.screen import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``init``."""
    text = "version that opens the project: 5 (and 4), or 3.0 (default: 5)"
    parser.add_argument("--relion", choices=["3.0", "5"], default="5", help=text)
    add_project(parser)
    parser.set_defaults(call=init)


def init(options: argparse.Namespace) -> int:
    """Make the pipeline file, and list the jobs in it."""
    from cryoflow.launch.adopt import make_pipeline
    from cryoflow.project.pipeline import PIPELINE

    project = project_of(options)
    made = make_pipeline(project, options.relion)
    for name in made.jobs:
        say(name)
    if made.unknown:
        say(f"without a record, and so left out: {', '.join(made.unknown)}")
    say(f"{project / PIPELINE}: {len(made.jobs)} jobs, for RELION {options.relion}")
    return 0
