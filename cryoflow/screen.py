"""Lines for the person at the screen, or for the program that reads a pipe."""

from __future__ import annotations

import sys


def say(line: str = "") -> None:
    """Write one line on stdout, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def print_error(text: str) -> None:
    """Write a problem on stderr, apart from what a script reads."""
    sys.stderr.write(text + "\n")
