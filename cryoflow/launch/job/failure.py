"""Why a job has failed, in one line."""

from __future__ import annotations

import re

from cryoflow.errors import MachineError, machine_remedy
from cryoflow.launch.job.signals import Terminated

_OUT_OF_MEMORY = re.compile("allocate|out of memory|bad_alloc", re.IGNORECASE)


def cause(error: Exception) -> str:
    """Return the message for an unexpected error."""
    what = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, OSError) and (remedy := machine_remedy(error)):
        return f"{error.filename or 'a file'}: {error.strerror}; {remedy}"
    if isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(str(error)):
        return f"not enough memory; use coarser settings or fewer workers ({what})"
    return f"stopped by {what}"


def is_of_machine(error: Exception) -> bool:
    """Return whether the machine is at fault, so that the same job may well finish later."""
    return isinstance(error, MachineError) or (isinstance(error, OSError) and bool(machine_remedy(error)))


def interruption(stop: KeyboardInterrupt) -> str:
    """Return what stopped a job: a user, or a scheduler by SIGTERM."""
    return "terminated (SIGTERM)" if isinstance(stop, Terminated) else "interrupted"
