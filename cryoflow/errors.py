"""Errors that the user can fix, each reported in one line."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from os import PathLike
from types import TracebackType


class CryoflowError(Exception):
    """Something the user can fix; ``str(error)`` says where, what is wrong and what to do."""


class SpecError(CryoflowError):
    """All errors of a spec.

    Attributes
    ----------
    problems : tuple of str
        One line per problem, e.g. ``pick.yaml:6: autopicking > Picking treshold: unknown field``.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class ArgumentError(CryoflowError, ValueError):
    """An argument of a public function that cannot be used; names the argument."""


class ErrorCollector:
    """Collects the errors of several steps, to report all of them at once.

    ``with problems:`` records a `CryoflowError` and continues after the block.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, CryoflowError):
            self.add(error.problems if isinstance(error, SpecError) else [str(error)])
            return True
        return False

    def add(self, lines: Iterable[str]) -> None:
        """Record lines, one per problem."""
        self._lines.extend(lines)

    def raise_if_any(self) -> None:
        """Raise a `SpecError` with all recorded lines, each once; do nothing if there are none."""
        if self._lines:
            raise SpecError(dict.fromkeys(self._lines))


class FileError(CryoflowError):
    """A file that is missing, broken, or lacks what is needed.

    Parameters
    ----------
    path : path-like
        The file, as the user knows it.
    message : str
        What is wrong and what to do.
    line : int, optional
        Line number, from 1, in a text file.
    """

    def __init__(self, path: str | PathLike[str], message: str, line: int | None = None) -> None:
        self.path, self.message, self.line = str(path), message, line
        where = f"{path}:{line}" if line is not None else str(path)
        super().__init__(f"{where}: {message}")

    def __reduce__(self) -> tuple[type[FileError], tuple[str, str, int | None]]:
        """Pickle by parts, so that a worker process can return the error."""
        return type(self), (self.path, self.message, self.line)


class MachineError(FileError):
    """A file that the machine cannot write or read now: disk full, I/O error, too many open files.

    It ends the job, and is never the fault of one micrograph; the same command finishes the job later.
    """


#: What a user can do about an error of the machine.
_MACHINE_ERRORS = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EIO: "check the disk",
    errno.EROFS: "make the file system writable",
    errno.EMFILE: "allow more open files (ulimit -n) or use fewer workers",
    errno.ENFILE: "close other programs",
}


def machine_remedy(error: OSError) -> str:
    """Return what to do about an error of the machine; empty for errors that are about one file."""
    remedy = _MACHINE_ERRORS.get(error.errno or 0, "")
    return f"{remedy}, then give the same command again" if remedy else ""
