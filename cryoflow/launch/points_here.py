"""Run the points of a sweep one after the other in this process, which has everything imported and loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryoflow.launch.job import Outcome, Request, forget, run_job
from cryoflow.launch.resume import unfinished
from cryoflow.launch.sweep_folder import Sweep
from cryoflow.spec import JobSpec


def run_points(
    specs: Sequence[JobSpec],
    request: Request,
    sweep: Sweep,
) -> list[Outcome]:
    """Run points in their order.

    Parameters
    ----------
    specs : sequence of JobSpec
        One a point.
    request : Request
        Where and how to run.
    sweep : Sweep
        Knows the points that an earlier, interrupted run has finished, and is told of those that end now.
    """
    outcomes = []
    try:
        for place, spec in enumerate(specs):
            if place not in sweep.done:
                begun = unfinished(Path(request.project), spec) if sweep.begun_before else ""
                sweep.note(place, run_job(spec, request._replace(continued=begun)))
            outcomes.append(sweep.done[place])
    finally:
        forget()
    return outcomes
