"""``cryoflow rerun``."""

from __future__ import annotations

import argparse
import shlex
from collections import Counter

from cryoflow.cli.place import Place, add_project, job_place
from cryoflow.cli.table import say_table
from cryoflow.errors import ErrorCollector
from cryoflow.screen import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``rerun``."""
    parser.add_argument("jobs", nargs="+", metavar="JOB_DIR", help="e.g. AutoPick/job010, or an alias")
    text = (
        "largest allowed difference, relative to the largest value of the column or image (default: 0.0001)"
    )
    parser.add_argument("--tolerance", type=float, default=1e-4, metavar="T", help=text)
    add_project(parser)
    parser.set_defaults(call=rerun, extras="jobs")


def rerun(options: argparse.Namespace) -> int:
    """Run jobs again from their records under the next free numbers, and compare each output with the old.

    Each reads the files that its record names, so that a difference shows only in the job that causes it.
    Returns 0 if all are identical or within the tolerance, 1 if not or if one failed, 2 if one was refused.
    """
    from cryoflow.launch.job.rerun import read_ended

    places, problems = [], ErrorCollector()
    for given in options.jobs:
        with problems:
            places.append(job_place(options, given))
            read_ended(places[-1].directory)
    problems.raise_if_any()
    codes = [_rerun_one(place, options) for place in places]
    return next((code for code in (1, 2) if code in codes), 0)


def _rerun_one(place: Place, options: argparse.Namespace) -> int:
    from cryoflow.launch.job.rerun import rerun_job
    from cryoflow.project.compare import VERDICTS

    command = shlex.join(["cryoflow", *options.arguments])
    done = rerun_job(place.project, place.directory, command, options.tolerance)
    for change in done.changed:
        say(f"changed since: {change.kind} {change.path} {change.what}")
    for line in done.elsewhere:
        say(f"changed since: {line}")
    if not done.files:
        return done.code
    differing = [
        [name, found.verdict, found.detail] for name, found in done.files if found.verdict != "identical"
    ]
    if differing:
        say_table(differing, indent="  ")
    counts = Counter(found.verdict for _, found in done.files)
    verdicts = [verdict for verdict in VERDICTS if counts[verdict]]
    summary = ", ".join(f"{counts[verdict]} {verdict}" for verdict in verdicts)
    say(f"{done.directory} compared with {place.name}: {summary} of {len(done.files)} files")
    say(f"{done.directory}/")
    return int(bool(counts["different"]))
