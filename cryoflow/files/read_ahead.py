"""Have the system fetch a file that is going to be read."""

from __future__ import annotations

import os
from contextlib import suppress
from os import PathLike
from pathlib import Path

STEP = 512 << 10
"""Bytes asked for at a time: systems do not take up more than their own reading ahead."""


def read_ahead(path: str | PathLike[str]) -> None:
    """Ask the system to fetch a file into its cache, without waiting for it.

    Whoever reads the file finds out what is wrong with it; here nothing is. Systems without
    ``posix_fadvise`` are not asked.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    with suppress(OSError), Path(path).open("rb") as file:
        for first in range(0, os.fstat(file.fileno()).st_size, STEP):
            os.posix_fadvise(file.fileno(), first, STEP, os.POSIX_FADV_WILLNEED)
