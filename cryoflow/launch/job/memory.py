"""Estimate how much memory a job will take, where its inputs exist."""

from __future__ import annotations

from pathlib import Path

from cryoflow.errors import CryoflowError
from cryoflow.jobs.registry import JOB_TYPES, load
from cryoflow.launch.inputs import with_files
from cryoflow.spec import JobSpec

#: Python with torch, before any input is read.
BASE_GB = 0.5


def expected_gb(spec: JobSpec, project: Path) -> float | None:
    """Return the expected memory in GB, to within a factor of two; None if inputs do not exist yet."""
    memory = JOB_TYPES[spec.job].memory
    try:
        more = load(memory)(with_files(project, spec), project) if memory else 0.0
    except (CryoflowError, KeyError, IndexError, OSError):
        return None
    return round(BASE_GB + more / 1e9, 1)
