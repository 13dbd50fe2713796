"""One process per job directory, by a lock that is released when its process ends for any reason."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from cryoflow.errors import CryoflowError
from cryoflow.project.names import name_of

#: The file that is locked; every job has it.
_FILE = "run.out"


@contextmanager
def holding(directory: Path) -> Iterator[TextIO]:
    """Keep other processes out of a job directory, and yield its log.

    Raises
    ------
    CryoflowError
        If another process runs the job.
    """
    with (directory / _FILE).open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CryoflowError(
                f"{name_of(directory)}: another process is running this job; wait until it has finished"
            ) from None
        except OSError:
            pass  # a file system without locks
        yield file


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
        with (directory / _FILE).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
