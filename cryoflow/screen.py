"""What the person at the screen, or the program behind a pipe, is told."""

from __future__ import annotations

import sys


def say(line: str = "") -> None:
    """Write one line on stdout, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
