"""``cryoflow draw``."""

from __future__ import annotations

import argparse

from cryoflow.cli.place import add_project, project_of
from cryoflow.screen import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``draw``."""
    parser.add_argument("job", metavar="DIR", help="job directory or alias, or a sweep: Sweep/sweep001")
    text = "draw the picks on these, e.g. mic003; default: redraw the job's pictures"
    parser.add_argument("micrographs", nargs="*", metavar="MICROGRAPH", help=text)
    parser.add_argument("--all", action="store_true", help="draw the picks on all micrographs")
    add_project(parser)
    parser.set_defaults(call=draw, extras="micrographs")


def draw(options: argparse.Namespace) -> int:
    """Draw pictures into the directory of a job or sweep, and print their paths."""
    from cryoflow.launch.draw import draw as draw_again

    project = project_of(options)
    for path in draw_again(project, options.job, options.micrographs, options.all):
        say(str(path.relative_to(project)))
    return 0
