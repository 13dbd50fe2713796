"""Size and hash of files; an unchanged file is read only once."""

from __future__ import annotations

import hashlib
import os
import stat
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
from cryoflow.files.coordinate_folder import coordinate_files
from cryoflow.project.directory import HIDDEN

Fingerprint: TypeAlias = dict[str, str | int | None]

#: Nanoseconds within which a file may change without a new modification time: file system clocks are coarse.
_TICK = 20_000_000

#: Number of outdated lines in the store above which it is rewritten.
_LITTER = 5000

#: Length of a sha256 in hexadecimal.
_DIGITS = 64


class FileState(NamedTuple):
    """State that changes with a file's content; of a folder, number and hash of its coordinate files."""

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
        Project-relative names; one that does not exist gets ``None`` for size and sha256. A folder gets the
        number of the coordinate files below it, and a hash of their names; what must not be read gets a size
        only.
    threads : int
        Files read at the same time.
    fresh : bool
        Read every file, even if its hash is known.
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
    """Known hashes: one line per file, ``sha256 size mtime_ns inode path``, of which the last one counts.

    Lines are appended in one write, so that jobs that end at the same time do not corrupt each other's. What
    has been read stays in memory: each point of a sweep would otherwise read all of it, four times.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, tuple[FileState, str]] = {}
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
        if path.is_dir():
            count, digest = _listing(path)
            return {"path": name, "size": count, "sha256": digest}
        state = file_state(path)
        if state is None:
            return {"path": name, "size": None, "sha256": None}
        known = self._known.get(name)
        if known and known[0] == state and not fresh:
            return {"path": name, "size": state.size, "sha256": known[1]}
        begun = time.time_ns()
        try:
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except PermissionError:
            return {"path": name, "size": state.size, "sha256": None}
        if file_state(path) == state and state.mtime_ns + _TICK < begun and "\n" not in name:
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
        with suppress(ValueError):  # incomplete line: the process that wrote it was killed
            digest, size, mtime_ns, inode, name = line.split(" ", 4)
            if len(digest) == _DIGITS:
                self._known[name] = (FileState(int(size), int(mtime_ns), int(inode)), digest)


def _line(name: str, state: FileState, digest: str) -> str:
    return f"{digest} {state.size} {state.mtime_ns} {state.inode} {name}\n"


def file_state(path: Path) -> FileState | None:
    """Return the state of a file or folder; None for what is neither, or does not exist."""
    try:
        found = path.stat()
    except OSError:
        return None
    if stat.S_ISDIR(found.st_mode):
        count, digest = _listing(path)
        return FileState(count, int(digest[:15], 16), found.st_ino)
    regular = stat.S_ISREG(found.st_mode)
    return FileState(found.st_size, found.st_mtime_ns, found.st_ino) if regular else None


def _listing(folder: Path) -> tuple[int, str]:
    """Number of the coordinate files below a folder, and a hash of their names."""
    names = [os.fsencode(path.relative_to(folder)) for path in coordinate_files(folder)]
    return len(names), hashlib.sha256(b"\n".join(names)).hexdigest()
