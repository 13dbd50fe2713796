"""Options of a run, as given on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class RunOptions(NamedTuple):
    """Options of a run.

    Attributes
    ----------
    project : Path
        Project root.
    command : str
        The command line, for notes and records.
    continued : str
        Job directory to run in again; empty for new ones.
    multirun : bool
        Whether lists of values are a sweep.
    launcher : str
        Launcher preset of a sweep.
    start, stop : str
        First and last step of a chain.
    force : bool
        Whether the steps of a chain run even if they are up to date.
    replace : bool
        Whether steps of a chain may replace finished results.
    dry : bool
        Whether only to report what would run.
    """

    project: Path
    command: str
    continued: str = ""
    multirun: bool = False
    launcher: str = "local"
    start: str = ""
    stop: str = ""
    force: bool = False
    replace: bool = False
    dry: bool = False
