"""``cryoflow verify``."""

from __future__ import annotations

import argparse

from cryoflow.cli.place import add_project, job_place
from cryoflow.cli.text import number_of
from cryoflow.screen import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``verify``."""
    parser.add_argument("jobs", nargs="+", metavar="JOB_DIR", help="e.g. AutoPick/job010, or an alias")
    text = "read every file again, even if its size, time and inode have not changed since it was hashed"
    parser.add_argument("--full", action="store_true", help=text)
    add_project(parser)
    parser.set_defaults(call=verify, extras="jobs")


def verify(options: argparse.Namespace) -> int:
    """List every input and output that does not match the record; return 1 if there is one."""
    from cryoflow.project.record import read_record
    from cryoflow.project.verify import changed_files

    code = 0
    for given in options.jobs:
        place = job_place(options, given)
        record = read_record(place.directory)
        changes = changed_files(place.project, record, fresh=options.full)
        for change in changes:
            say(f"{place.name}: {change.kind} {change.path} {change.what}")
        ended = record.get("status") in {"succeeded", "partial"}
        if not changes and ended:
            files = f"{number_of(record['inputs'], 'input')} and {number_of(record['outputs'], 'output')}"
            say(f"{place.name}: ok, {files} are as recorded")
        if not ended:
            say(f"{place.name}: status in its record is '{record.get('status')}'; it did not succeed")
        code = code or int(bool(changes) or not ended)
    return code
