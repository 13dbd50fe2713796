"""``cryoflow demo``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``demo``."""
    folder = Path("demo-project")
    parser.add_argument(
        "directory", type=Path, nargs="?", default=folder, metavar="DIR", help=f"default: {folder}"
    )
    parser.set_defaults(call=demo)


def demo(options: argparse.Namespace) -> int:
    """Simulate a small project and run the tutorial's steps on it."""
    from cryoflow.demo import run_demo

    return run_demo(options.directory.absolute())
