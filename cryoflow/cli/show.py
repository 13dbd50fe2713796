"""``cryoflow show``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from cryoflow.cli.place import add_project, job_place
from cryoflow.cli.table import coloured_state, say_pairs, say_table
from cryoflow.cli.text import number_of, seconds_text
from cryoflow.screen import say

if TYPE_CHECKING:
    from cryoflow.project.jobs import Job

#: Files and failures listed.
_SHOWN = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``show``."""
    parser.add_argument("job", metavar="JOB_DIR", help="e.g. AutoPick/job010, or an alias")
    parser.add_argument(
        "--all", action="store_true", help="all settings and files, not only the most important ones"
    )
    add_project(parser)
    parser.set_defaults(call=show)


def show(options: argparse.Namespace) -> int:
    """Show settings, inputs and outputs of a job, and how it ended."""
    from cryoflow.project.jobs import list_jobs
    from cryoflow.project.record import read_record

    place = job_place(options, options.job)
    record = read_record(place.directory)  # reports what is wrong with it
    jobs = {job.name: job for job in list_jobs(place.project)}
    job = jobs[place.name]._replace(record=record)
    _say_head(job, [other.name for other in jobs.values() if job.name in other.feeders])
    _say_settings(job.record["spec"], options.all)
    for kind in ("input", "output"):
        _say_files(kind, job.record[f"{kind}s"], options.all)
    _say_failures(job.record["failures"], options.all)
    return 0


def _say_head(job: Job, fed: list[str]) -> None:
    record = job.record
    spent = {what: seconds_text(seconds) for what, seconds in record["timings"]["seconds"].items()}
    rows = [
        ("job", f"{job.name} {f'({job.alias})' if job.alias else ''}".rstrip()),
        ("state", f"{coloured_state(job.state)}{': ' + record['error'] if record['error'] else ''}"),
        ("command", record["command"]),
        ("started", record["timings"]["started"]),
        ("took", ", ".join(f"{what} {text}" for what, text in spent.items()) or "-"),
        ("counts", ", ".join(f"{name} {value:g}" for name, value in record["counts"].items()) or "-"),
        ("ran on", f"{record['device']}, {record['threads'] or '-'} threads, seed {record['seed']}"),
        ("versions", ", ".join(f"{name} {text}" for name, text in record["versions"].items())),
        ("inputs from", ", ".join(job.feeders) or "-"),
        ("outputs to", ", ".join(fed) or "-"),
    ]
    say_pairs(rows)


def _say_settings(spec: dict[str, Any], everything: bool) -> None:
    from cryoflow.project.diff import flat
    from cryoflow.project.settings import changed_settings

    say("\nsettings" if everything else "\nsettings that differ from the defaults")
    every = [(name, str(value)) for name, value in flat(spec).items() if "." in name]
    rows = every if everything else changed_settings(spec)
    say_pairs(rows or [("none", "")], indent="  ")


def _say_files(kind: str, entries: list[dict[str, Any]], everything: bool) -> None:
    total = sum(entry["size"] or 0 for entry in entries)
    say(f"\n{number_of(entries, kind)}, {total / 1e6:.1f} MB")
    shown = entries if everything else entries[:_SHOWN]
    rows = [[entry["path"], str(entry["size"]), (entry["sha256"] or "")[:10]] for entry in shown]
    if rows:
        say_table(rows, indent="  ")
    if len(shown) < len(entries):
        say(f"  and {len(entries) - len(shown)} more (--all)")


def _say_failures(failures: list[dict[str, str]], everything: bool) -> None:
    if not failures:
        return
    say(f"\n{number_of(failures, 'failure')}")
    for failure in failures if everything else failures[:_SHOWN]:
        say_pairs([(f"{failure['item']}:", failure["message"])], indent="  ")
