"""State of the files that a job reads, before it reads them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cryoflow.project.fingerprints import FileState, file_state


class InputLog:
    """Size, time and inode of every file that a job depends on, taken before the job reads it.

    If a file is unchanged at the end, its hash is that of what was read; no file is read twice.
    """

    def __init__(self) -> None:
        self._states: dict[str, FileState | None] = {}

    def note(self, project: Path, names: Iterable[str]) -> None:
        """Note files and folders by project-relative name; one that does not exist is noted as missing."""
        for name in names:
            if name not in self._states:
                self._states[name] = file_state(project / name)

    @property
    def names(self) -> tuple[str, ...]:
        """All names noted."""
        return tuple(self._states)

    def sizes_of_changed(self, project: Path) -> dict[str, int | None]:
        """Return the files that have changed since, with their recorded size; None for missing."""
        return {
            name: state.size if state else None
            for name, state in self._states.items()
            if file_state(project / name) != state
        }
