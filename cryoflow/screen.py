"""Output lines for a terminal or a pipe."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from typing import TextIO


def say(line: str = "") -> None:
    """Write one line to stdout and flush it."""
    write_line(sys.stdout, line)


def print_error(text: str) -> None:
    """Write an error to stderr."""
    write_line(sys.stderr, printable(text))


def write_line(stream: TextIO | None, line: str) -> None:
    """Write a line; a stream that is closed, or whose reader has gone (``| head``), must not end a job."""
    if stream is None:
        return
    try:
        stream.write(line + "\n")
        stream.flush()
    except BrokenPipeError:
        with suppress(OSError, ValueError):  # the rest, and Python's own last flush, go nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def printable(text: str) -> str:
    """Escape control characters, which names from files may use to command a terminal."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


#: All but tab and newline.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
