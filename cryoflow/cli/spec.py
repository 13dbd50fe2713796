"""``cryoflow spec``."""

from __future__ import annotations

import argparse
from pathlib import Path

from cryoflow.cli.table import say_table
from cryoflow.screen import say
from cryoflow.shipped import COLLECTIONS, copy_shipped, shipped_files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``spec``."""
    names = ", ".join(COLLECTIONS)
    parser.add_argument(
        "collection", nargs="?", choices=COLLECTIONS, metavar="NAME", help=f"{names}; default: list them"
    )
    default = Path("specs")
    parser.add_argument(
        "directory", nargs="?", type=Path, default=default, metavar="DIR", help=f"default: {default}"
    )
    parser.set_defaults(call=spec)


def spec(options: argparse.Namespace) -> int:
    """List the shipped specs, or copy a collection of them."""
    if options.collection is None:
        rows = [[name, file] for name in COLLECTIONS for file in shipped_files(name)]
        say_table([["name", "file"], *rows])
        return 0
    for path in copy_shipped(options.collection, options.directory):
        say(str(path))
    return 0
