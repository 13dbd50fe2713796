"""``cryoflow diff``."""

from __future__ import annotations

import argparse
from pathlib import Path

from cryoflow.cli.place import add_project, job_place
from cryoflow.cli.table import say_table
from cryoflow.screen import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``diff``."""
    parser.add_argument("one", metavar="JOB_A", help="job directory or alias")
    parser.add_argument("other", metavar="JOB_B", help="job directory or alias")
    parser.add_argument("--files", action="store_true", help="also compare the numbers in the outputs")
    add_project(parser)
    parser.set_defaults(call=diff)


def diff(options: argparse.Namespace) -> int:
    """Show where settings, inputs, counts and results of two jobs differ."""
    from cryoflow.project.diff import differences
    from cryoflow.project.record import read_record

    places = [job_place(options, given) for given in (options.one, options.other)]
    names = [place.name for place in places]
    rows = differences(*(read_record(place.directory) for place in places))
    say_table([["", "", *names], *([row.part, row.name, row.one, row.other] for row in rows)])
    if options.files:
        outputs = {row.name for row in rows if row.part == "output"}
        _say_files(places[0].directory, places[1].directory, (names[0], names[1]), outputs)
    return 0


def _say_files(one: Path, other: Path, names: tuple[str, str], outputs: set[str]) -> None:
    from cryoflow.project.compare import compare_files

    say()
    for name in sorted(outputs):
        found = compare_files(one / name, other / name, names)
        say(f"{name}: {found.verdict} {found.detail}".rstrip())
