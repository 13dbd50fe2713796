"""Size and hash of files; a file that stays as it is gets read once."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import NamedTuple, TypeAlias

from cryoflow.errors import CryoflowError
from cryoflow.files.atomic import write_bytes
from cryoflow.project.directory import HIDDEN

Fingerprint: TypeAlias = dict[str, str | int | None]

#: Nanoseconds within which a file may change without its time of change telling: clocks of file systems tick.
_TICK = 20_000_000

#: Lines of the store that mean nothing any more and are worth tidying away.
_LITTER = 5000

#: Length of a sha256 in hexadecimal.
_DIGITS = 64


class _State(NamedTuple):
    size: int
    mtime_ns: int
    inode: int


def fingerprints(
    project: Path, names: Iterable[str], threads: int = 1, fresh: bool = False
) -> list[Fingerprint]:
    """Return path, size and sha256 of files, sorted by path.

    Hashes are kept in ``.cryoflow/hashes`` with size, time of change and inode of the file, and taken from
    there as long as these three are the same.

    Parameters
    ----------
    project : Path
        Absolute project root.
    names : iterable of str
        Project-relative names; one that does not exist gets ``None`` for size and sha256.
    threads : int
        Files read at the same time.
    fresh : bool
        Read every file, whatever is known about it.
    """
    store = _store(project / HIDDEN / "hashes")
    store.catch_up()
    ordered = sorted(set(names))
    with ThreadPoolExecutor(max(1, threads)) as pool:
        each = map if threads <= 1 else pool.map  # it begins no thread before it is given work
        found = list(each(lambda name: store.fingerprint(project, name, fresh), ordered))
    store.save()
    return found


@cache
def _store(path: Path) -> Store:
    return Store(path)


class Store:
    """Known hashes: one line a file, ``sha256 size mtime_ns inode path``, of which the last one counts.

    Lines are appended in one write, so that jobs that end at the same time do not spoil each other's. What
    has been read stays in memory: each point of a sweep would otherwise read all of it, four times.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, tuple[_State, str]] = {}
        self._new: list[str] = []
        self._lines = self._read = self._inode = 0
        self._reading = Lock()

    def catch_up(self) -> None:
        """Read what has been appended since the last time; all of it, if the store is another file."""
        with self._reading, suppress(OSError), self.path.open("rb") as file:
            found = os.fstat(file.fileno())
            if found.st_ino != self._inode or found.st_size < self._read:
                self._known, self._lines, self._read, self._inode = {}, 0, 0, found.st_ino
            file.seek(self._read)
            whole, end, _ = file.read().rpartition(b"\n")
            self._read += len(whole + end)
            for line in whole.decode("utf-8", "surrogateescape").split("\n"):
                self._take(line)

    def fingerprint(self, project: Path, name: str, fresh: bool) -> Fingerprint:
        """Return path, size and sha256 of one file; see `fingerprints`."""
        path = project / name
        if not path.is_file():
            return {"path": name, "size": None, "sha256": None}
        state = _state(path)
        known = self._known.get(name)
        if known and known[0] == state and not fresh:
            return {"path": name, "size": state.size, "sha256": known[1]}
        begun = time.time_ns()
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if _state(path) == state and state.mtime_ns + _TICK < begun and "\n" not in name:
            self._new.append(_line(name, state, digest))
        return {"path": name, "size": state.size, "sha256": digest}

    def save(self) -> None:
        """Keep what is new; a project that cannot be written to is read again next time."""
        new, self._new = self._new, []
        if not new:
            return
        with suppress(OSError, CryoflowError):
            self.path.parent.mkdir(exist_ok=True)
            if self._lines - len(self._known) > _LITTER:
                kept = [_line(name, *known) for name, known in self._known.items()]
                write_bytes(self.path, "".join(kept).encode("utf-8", "surrogateescape"))
            with self.path.open("ab", buffering=0) as file:
                file.write("".join(["\n", *new]).encode("utf-8", "surrogateescape"))

    def _take(self, line: str) -> None:
        self._lines += 1
        with suppress(ValueError):  # half a line: the process that wrote it was killed
            digest, size, mtime_ns, inode, name = line.split(" ", 4)
            if len(digest) == _DIGITS:
                self._known[name] = (_State(int(size), int(mtime_ns), int(inode)), digest)


def _line(name: str, state: _State, digest: str) -> str:
    return f"{digest} {state.size} {state.mtime_ns} {state.inode} {name}\n"


def _state(path: Path) -> _State:
    found = path.stat()
    return _State(found.st_size, found.st_mtime_ns, found.st_ino)
