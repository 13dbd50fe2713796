"""One point of a sweep, unless an earlier run of the sweep has finished it."""

from __future__ import annotations

from pathlib import Path

from cryoflow.launch.inputs import with_files
from cryoflow.launch.job.run import run_job
from cryoflow.launch.outcome import Outcome, Request
from cryoflow.launch.previous_runs import Known
from cryoflow.project.context import SweepCache
from cryoflow.project.diff import work_key
from cryoflow.spec import JobSpec, spec_dump


def run_point_once(spec: JobSpec, request: Request, known: Known, cache: SweepCache | None = None) -> Outcome:
    """Run a point of a sweep, unless it has finished before; one that was killed is resumed."""
    if not known:
        return run_job(spec, request, cache)
    key = work_key(spec_dump(with_files(Path(request.project), spec)))
    directory, code = known.get(key, ("", None))
    if code is not None:
        return Outcome(directory, code, "was already done")
    return run_job(spec, request._replace(continued=directory), cache)
