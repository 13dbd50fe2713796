"""``cryoflow simulate``."""

from __future__ import annotations

import argparse
from pathlib import Path

from cryoflow.screen import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``simulate``."""
    from cryoflow.simulate.options import add_arguments as add_options

    parser.add_argument("directory", type=Path, metavar="DIR", help="directory of the new project")
    add_options(parser)
    parser.set_defaults(call=simulate)


def simulate(options: argparse.Namespace) -> int:
    """Make the project and report what it contains."""
    from cryoflow.simulate.options import SimulateOptions
    from cryoflow.simulate.project import simulate_project

    wanted = SimulateOptions.from_arguments(options)
    made = simulate_project(options.directory.absolute(), wanted, say)
    say(f"{made.micrographs} micrographs with {made.particles} particles, and the ground truth in truth/")
    say(f"{options.directory}/")
    return 0
