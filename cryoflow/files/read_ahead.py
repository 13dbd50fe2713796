"""Prefetch files into the system's cache."""

from __future__ import annotations

import os
from contextlib import suppress
from os import PathLike
from pathlib import Path

STEP = 512 << 10
"""Bytes requested at a time: systems limit requests to their own read-ahead size."""


def read_ahead(path: str | PathLike[str]) -> None:
    """Ask the system to fetch a file into its cache, without waiting for it.

    Errors are ignored here and reported when the file is read. Without ``posix_fadvise`` nothing is
    done.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    with suppress(OSError), Path(path).open("rb") as file:
        for first in range(0, os.fstat(file.fileno()).st_size, STEP):
            os.posix_fadvise(file.fileno(), first, STEP, os.POSIX_FADV_WILLNEED)
