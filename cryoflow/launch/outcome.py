"""Options of a run besides the spec, and how it ended."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple


class Request(NamedTuple):
    """Options of a job's run, apart from its spec.

    Attributes
    ----------
    project : str
        Absolute project root.
    command : str
        The command line, for the note and the record.
    continued : str
        Job directory to run in again; empty for a new one.
    concurrent : bool
        Whether other jobs run at the same time and write on the same screen.
    pictures : bool
        Whether to draw the job's pictures.
    sweep : str
        The sweep of which the job is a point, e.g. ``Sweep/sweep001``, so that it may share what it has in
        common with others in its process; empty for a job of its own.
    apart : bool
        Whether the job's number comes from above a gap, as those of points of a sweep do.
    quiet : bool
        Whether to write into the job's logs only, not on the screen.
    """

    project: str
    command: str
    continued: str = ""
    concurrent: bool = False
    pictures: bool = True
    sweep: str = ""
    apart: bool = False
    quiet: bool = False


class Outcome(NamedTuple):
    """How a job ended.

    Attributes
    ----------
    directory : str
        Project-relative directory; empty if the job was refused before one was made.
    code : int
        0: all fine, 1: failed, 2: refused, or some items failed, 3: nothing was kept.
    message : str
        The summary, or why it failed.
    outputs : tuple of str
        Project-relative paths of the files that the job wrote, in the order of its record.
    """

    directory: str
    code: int
    message: str
    outputs: tuple[str, ...] = ()

    @property
    def stops_others(self) -> bool:
        """Whether later jobs are not started: it failed, was refused or kept nothing."""
        return self.code in {1, 3} or not self.directory


def worst_code(outcomes: Sequence[Outcome]) -> int:
    """Return 1 if a job has failed, else 2 if one was refused or has left something out, else 3 or 0."""
    codes = {outcome.code for outcome in outcomes}
    return next((code for code in (1, 2, 3) if code in codes), 0)


def report_skipped(jobs: Sequence[str]) -> None:
    """Name on stderr the jobs that did not start."""
    if jobs:
        text = ", ".join(jobs)
        sys.stderr.write(f"not started, because the previous job did not succeed: {text}\n")
