"""``cryoflow status``."""

from __future__ import annotations

import argparse

from cryoflow.cli.place import add_project, project_of
from cryoflow.cli.table import say_table, screen_width
from cryoflow.cli.text import counts_text, seconds_text
from cryoflow.screen import print_error, say

_WIDE = 120
"""Columns from which all counts are shown."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``status``."""
    add_project(parser)
    parser.set_defaults(call=status)


def status(options: argparse.Namespace) -> int:
    """Show the project's jobs as a tree, from inputs to results, with states, counts and times."""
    from cryoflow.project.directory import check_project
    from cryoflow.project.jobs import list_jobs, tree_lines

    project = project_of(options)
    check_project(project)
    room, rows = screen_width(), []
    narrow = room is not None and room < _WIDE
    jobs = list_jobs(project)
    for branches, job in tree_lines(jobs):
        timings = job.record.get("timings", {})
        rows.append(
            [
                f"{branches}{job.name}",
                job.alias or "",
                job.state,
                "record cannot be read"
                if job.problem
                else counts_text(job.record.get("counts", {}), 1 if narrow else 3),
                seconds_text(timings.get("seconds", {}).get("job")),
                str(timings.get("started", ""))[:16].replace("T", " "),
                " ".join(job.feeders),
            ]
        )
    if not rows:
        say("no jobs")
        return 0
    heads = ["job", "alias", "state", "counts", "took", "started", "inputs from"]
    say_table([heads, *rows], drop=(6, 5, 4), state=2)
    for job in jobs:
        if job.problem:
            print_error(f"warning: {job.problem}")
    return 0
