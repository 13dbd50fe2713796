"""Atomic writing: a file appears complete or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryoflow.errors import FileError, MachineError, machine_remedy
from cryoflow.plain_files import open_plain

#: Names of temporary files, see `replacing`.
_TEMPORARY = re.compile(r"\..*\.[0-9a-f]{8}(\.[^.]*)?")


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary file next to `path` that replaces it when the block ends without an error.

    The folder is made if needed. After an error inside the block the temporary file is removed and `path` is
    left unchanged. The temporary name is hidden and keeps the suffix.

    Yields
    ------
    Path
        An existing, empty file to write to.

    Raises
    ------
    FileError
        When the folder cannot be made or the file cannot be written.
    """
    target = Path(path)
    temporary = _temporary(target)
    try:
        yield temporary
        temporary.replace(target)
    except OSError as error:
        if _is_about(error, temporary, target):
            raise unwritable(target, error) from error
        raise
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_bytes(path: str | os.PathLike[str], *parts: bytes | memoryview) -> None:
    """Write `parts` one after the other as the whole new content of `path`."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        for part in parts:
            file.write(part)


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a file; a ``FileError`` says why it cannot be read."""
    try:
        with open_plain(path) as file:
            return file.read()
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: str | os.PathLike[str], error: OSError) -> FileError:
    """Return the error that says why `path` cannot be read."""
    if isinstance(error, FileNotFoundError):
        return FileError(path, "no such file")
    if remedy := machine_remedy(error):
        return MachineError(path, f"cannot be read: {_reason(error)}; {remedy}")
    return FileError(path, f"cannot be read: {_reason(error)}")


def remove_temporaries(folder: Path) -> None:
    """Remove the temporary files that killed processes have left anywhere below a folder."""
    for path in folder.rglob(".*"):
        if _TEMPORARY.fullmatch(path.name) and path.is_file() and not path.is_symlink():
            with suppress(OSError):
                path.unlink()


def _temporary(target: Path) -> Path:
    path = target.with_name(f".{target.stem}.{secrets.token_hex(4)}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise unwritable(target, error) from error
    return path


def _is_about(error: OSError, *paths: Path) -> bool:
    return error.filename is None or str(error.filename) in map(str, paths)


def unwritable(path: Path, error: OSError) -> FileError:
    """Report why `path` cannot be written: an error of the machine, or one of its name."""
    remedy = machine_remedy(error)
    if error.errno in {errno.EACCES, errno.EPERM}:
        remedy = "make the folder writable, then give the same command again"
    if remedy:
        return MachineError(path, f"cannot be written: {_reason(error)}; {remedy}")
    return FileError(path, f"cannot be written: {_reason(error)}")


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
