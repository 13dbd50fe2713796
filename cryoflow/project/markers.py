"""RELION's exit markers and note in a job directory, which show how the job ended."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path

from cryoflow.plain_files import open_append

SUCCESS = "RELION_JOB_EXIT_SUCCESS"
FAILURE = "RELION_JOB_EXIT_FAILURE"
ABORTED = "RELION_JOB_EXIT_ABORTED"


def clear_markers(directory: Path) -> None:
    """Remove the exit markers of an earlier run."""
    for name in (SUCCESS, FAILURE, ABORTED):
        (directory / name).unlink(missing_ok=True)


def mark(directory: Path, success: bool) -> None:
    """Write the exit marker; always the last file that a job writes."""
    (directory / (SUCCESS if success else FAILURE)).touch()


def succeeded(directory: Path) -> bool:
    """Return whether the job in ``directory`` has succeeded."""
    return (directory / SUCCESS).exists()


def add_note(directory: Path, command: str, now: datetime) -> None:
    """Append the command to ``note.txt`` in RELION's form."""
    with open_append(directory / "note.txt") as note:
        note.write(f"\n ++++ Executing new job on {now:%a %b %e %H:%M:%S %Y}\n")
        note.write(f" ++++ with the following command(s): \n{command}\n ++++ \n")


def ran_in_relion(directory: Path) -> bool:
    """Return whether one of RELION's programs has run in a job directory, by its note."""
    with suppress(OSError):
        note = (directory / "note.txt").read_text(encoding="utf-8", errors="replace")
        return any(line.startswith(("`which relion_", "relion_")) for line in note.splitlines())
    return False
