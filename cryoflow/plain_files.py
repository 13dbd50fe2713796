"""Open plain files only: a pipe or a device may wait for ever, and what is written must not follow links."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO, TextIO

from cryoflow.errors import FileError


def open_plain(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file to read, unless it is a pipe, a socket, a device or a folder.

    Raises
    ------
    FileError
        If it is no plain file.
    OSError
        If it cannot be opened.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # a null character in the name
        raise FileError(ascii(os.fspath(path)), "no such file") from error
    mode = os.fstat(number).st_mode
    if not stat.S_ISREG(mode):
        os.close(number)
        what = "Is a directory" if stat.S_ISDIR(mode) else "it is a pipe, a socket or a device"
        raise FileError(path, f"cannot be read: {what}")
    return os.fdopen(number, "rb")


def read_plain_text(path: str | os.PathLike[str], most: int | None = None) -> str:
    """Read a plain file of UTF-8.

    Parameters
    ----------
    path : path-like
        The file.
    most : int, optional
        Bytes allowed.

    Raises
    ------
    FileError
        If it is no plain file, or longer than ``most``.
    OSError
        If it cannot be opened.
    UnicodeDecodeError
        If it is no text.
    """
    with open_plain(path) as file:
        content = file.read() if most is None else file.read(most + 1)
    if most is not None and len(content) > most:
        raise FileError(path, f"is longer than {most} bytes; is it the right file?")
    return content.decode("utf-8")


def open_append(path: str | os.PathLike[str], errors: str = "surrogateescape") -> TextIO:
    """Open a text file to append to, made if need be; a link is not followed, since it may lead anywhere.

    By default bytes of names that are not UTF-8 are written as they are.

    Raises
    ------
    FileError
        If it is a link or no plain file.
    OSError
        If it cannot be opened.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        number = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise FileError(path, _REFUSED) from error
        raise
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise FileError(path, _REFUSED)
    return os.fdopen(number, "a", buffering=1, encoding="utf-8", errors=errors)


_REFUSED = "cannot be written: it is a link, a pipe or a device; remove it"
