"""``cryoflow fields``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

#: Heading -> attributes of a row, below each other.
_NARROW = {"Label, name": ("label", "name"), "Default": ("default",), "Description": ("help",)}
_WIDE = {
    "Label": ("label",),
    "Name": ("name",),
    "Default": ("default",),
    "Range": ("range",),
    "Unit": ("unit",),
    "RELION's key": ("key",),
    "Description": ("help",),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``fields``."""
    from cryoflow.spec import SPEC_CLASSES

    listed = ", ".join(SPEC_CLASSES)
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"{listed} (default: all)")
    parser.set_defaults(call=fields)


def fields(options: argparse.Namespace) -> int:
    """Print a table for every tab of the job types."""
    from rich.console import Console

    from cryoflow.spec.jobs import SPEC_CLASSES, spec_class

    console = Console()
    if not console.is_terminal:
        console = Console(width=200)  # a pipe has no width, and wrapped lines cannot be searched
    for job in [spec_class(name).__name__ for name in options.jobs] or SPEC_CLASSES:
        _print_job(console, job)
    return 0


def _print_job(console: Console, job: str) -> None:
    from itertools import groupby

    from rich import box
    from rich.table import Table
    from rich.text import Text

    from cryoflow.spec.describe import field_rows

    columns = _WIDE if console.width >= 130 else _NARROW
    for tab, rows in groupby(field_rows(job), key=lambda row: row.tab):
        table = Table(title=f"{job} > {tab}", box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
        for heading in columns:
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(
                *(Text("\n".join(getattr(row, name) for name in names)) for names in columns.values())
            )
        console.print(table)
