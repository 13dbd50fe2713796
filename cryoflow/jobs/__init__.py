"""One job type a module: read, compute, write. The only place where files meet compute."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from cryoflow.project.context import JobContext, JobResult

#: Job type -> module with its ``run(spec, context)``; imported when needed, since torch takes seconds.
RUNNERS: dict[str, str] = {
    "AutoPick": "cryoflow.jobs.autopick.run",
    "Extract": "cryoflow.jobs.extract.run",
    "Sort": "cryoflow.jobs.sort.run",
    "Select": "cryoflow.jobs.select.run",
    "Class2D": "cryoflow.jobs.class2d.run",
}


def runner(job: str) -> Callable[[Any, JobContext], JobResult]:
    """Return the function that runs jobs of type ``job``."""
    run: Callable[[Any, JobContext], JobResult] = import_module(RUNNERS[job]).run
    return run
