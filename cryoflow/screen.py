"""Output lines for a terminal or a pipe."""

from __future__ import annotations

import sys


def say(line: str = "") -> None:
    """Write one line to stdout and flush it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def print_error(text: str) -> None:
    """Write an error to stderr."""
    sys.stderr.write(text + "\n")
