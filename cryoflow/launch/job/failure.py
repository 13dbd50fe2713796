"""Why a job has failed, in one line."""

from __future__ import annotations

import re

from cryoflow.launch.job.signals import Terminated

_OUT_OF_MEMORY = re.compile("allocate|out of memory|bad_alloc", re.IGNORECASE)


def cause(error: Exception) -> str:
    """Return what to report about an error that no code foresaw."""
    what = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(str(error)):
        return f"not enough memory; use coarser settings or fewer workers ({what})"
    return f"stopped by {what}"


def interruption(stop: KeyboardInterrupt) -> str:
    """Return who stopped a job: a user, or a scheduler by SIGTERM."""
    return "terminated (SIGTERM)" if isinstance(stop, Terminated) else "interrupted"
