"""One process per job directory, by a lock that is released when its process ends for any reason."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from cryoflow.errors import CryoflowError
from cryoflow.plain_files import open_append, open_plain, read_plain_text
from cryoflow.project.names import name_of
from cryoflow.screen import print_error

#: The file that is locked; every job has it.
_FILE = "run.out"

#: Names the owner of a job on a file system without locks.
_OWNER = ".run.lock"


@contextmanager
def holding(directory: Path) -> Iterator[TextIO]:
    """Keep other processes out of a job directory, and yield its log.

    On a file system without locks a file with host and process id stands in for the lock, which is said.

    Raises
    ------
    CryoflowError
        If another process runs the job.
    """
    with open_append(directory / _FILE) as file:
        locked = _lock(file, directory)
        try:
            yield file
        finally:
            if not locked:
                (directory / _OWNER).unlink(missing_ok=True)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let one process or thread at a time make a file; the others wait, and then check for it again.

    The lock of a killed process is released. On a file system without locks no process waits.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f".{path.name}.lock")
    with lock.open("a", encoding="utf-8") as file:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)  # a later process locks another file, but finds what was made


def is_running(directory: Path) -> bool:
    """Return whether a cryoflow process runs the job."""
    try:
        with open_plain(directory / _FILE) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except CryoflowError:
        return False
    except OSError:
        return owner_is_alive(directory / _OWNER)
    return owner_is_alive(directory / _OWNER)


def own_name() -> str:
    """Return host and id of this process, as lock files name their owner."""
    return f"{socket.gethostname()} {os.getpid()}"


def owner_is_alive(path: Path) -> bool:
    """Return whether the process that a lock file names may still run; one of another host may."""
    try:
        host, number = read_plain_text(path, 1000).split()[-2:]
        if host != socket.gethostname():
            return True
        os.kill(int(number), 0)
    except PermissionError:
        return True
    except (OSError, ValueError, OverflowError, CryoflowError):
        return False
    return True


def _lock(file: TextIO, directory: Path) -> bool:
    """Lock a log; False where its file system has no locks and a file names the owner instead."""
    busy = f"{name_of(directory)}: another process is running this job; wait until it has finished"
    if owner_is_alive(directory / _OWNER):
        raise CryoflowError(busy)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CryoflowError(busy) from None
    except OSError:
        _claim(directory / _OWNER, busy)
        return False
    return True


def _claim(path: Path, busy: str) -> None:
    global _said
    if not _said:
        print_error(f"warning: {path.parent}: a file system without locks; {_OWNER} stands in for one")
        _said = True
    path.unlink(missing_ok=True)  # of a process that is dead
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    except FileExistsError:
        raise CryoflowError(busy) from None
    with os.fdopen(number, "w") as file:
        file.write(own_name())


_said = False
