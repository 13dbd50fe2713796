"""``cryoflow sweep``."""

from __future__ import annotations

import argparse
import csv

from cryoflow.cli.place import add_project, project_of
from cryoflow.cli.table import say_blocks
from cryoflow.screen import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``sweep``."""
    parser.add_argument("what", choices=["show"], metavar="show", help="print the table again")
    parser.add_argument("sweep", metavar="DIR", help="e.g. Sweep/sweep001")
    add_project(parser)
    parser.set_defaults(call=sweep)


def sweep(options: argparse.Namespace) -> int:
    """Print the table of a sweep and the paths of its pictures."""
    from cryoflow.errors import CryoflowError
    from cryoflow.launch.sweep.folder import find_sweep

    directory = find_sweep(project_of(options), options.sweep)
    path = directory / "sweep.csv"
    if not path.exists():
        raise CryoflowError(f"{directory}: not finished; run its command again to resume it")
    with path.open(encoding="utf-8", newline="") as file:
        rows = [[_short(cell) for cell in row] for row in csv.reader(file)]
    keys = rows[0].index("job") + 1
    say_blocks(rows, keys, state=keys)
    for picture in sorted(directory.glob("*.png")):
        say(str(picture))
    return 0


def _short(cell: str) -> str:
    """Shorten numbers to six digits; an empty cell becomes a dash."""
    try:
        return f"{float(cell):.6g}"
    except ValueError:
        return cell or "-"
