"""Restore the directory of a job that is continued with other settings and cannot start with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryoflow.errors import CryoflowError
from cryoflow.files.atomic import write_bytes
from cryoflow.project.diff import same_work
from cryoflow.project.markers import ABORTED, FAILURE, SUCCESS
from cryoflow.project.pipeline import PIPELINE
from cryoflow.project.record import RECORD, read_record

#: Files that say what the job is and how it ended; the markers come last, as always.
_KEPT = (RECORD, "run.job", SUCCESS, FAILURE, ABORTED)
_LOGS = ("run.out", "run.err", "note.txt", PIPELINE, "job_pipeline.star")


class DirectorySnapshot:
    """A job directory before its job is continued."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._kept = {name: (directory / name).read_bytes() for name in _KEPT if (directory / name).exists()}
        self._made = _made(directory)

    @property
    def had_succeeded(self) -> bool:
        """Whether the job had succeeded."""
        return SUCCESS in self._kept

    def unchanged(self) -> bool:
        """Return whether the job has written no file of its own since."""
        return _made(self._directory) == self._made

    def restore(self) -> None:
        """Restore record, parameters and exit marker."""
        for name in _KEPT:
            if name in self._kept:
                write_bytes(self._directory / name, self._kept[name])
            else:
                (self._directory / name).unlink(missing_ok=True)


def snapshot_if_settings_differ(directory: Path, spec: dict[str, Any]) -> DirectorySnapshot | None:
    """Return a snapshot of the directory if its job ran with other settings than ``spec``."""
    try:
        same = not same_work(read_record(directory)["spec"], spec)
    except CryoflowError:  # RELION's
        same = False
    return None if same else DirectorySnapshot(directory)


def _made(directory: Path) -> dict[Path, tuple[int, int]]:
    found = ((path, path.lstat()) for path in directory.rglob("*") if path.name not in (*_KEPT, *_LOGS))
    return {path: (state.st_mtime_ns, state.st_ino) for path, state in found if not path.is_dir()}
