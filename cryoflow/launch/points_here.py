"""Run the points of a sweep one after the other in this process, which has everything imported and loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cryoflow.launch.job import Outcome, Request, forget, run_job
from cryoflow.launch.resume import unfinished
from cryoflow.spec import JobSpec


def run_points(
    specs: Sequence[JobSpec],
    request: Request,
    done: Mapping[int, Outcome],
    tell: Callable[[int, Outcome], None],
) -> list[Outcome]:
    """Run points in their order.

    Parameters
    ----------
    specs : sequence of JobSpec
        One a point.
    request : Request
        Where and how to run.
    done : mapping of int to Outcome
        Points that an earlier, interrupted run of this sweep has finished.
    tell : callable
        Called with place and outcome of each point that ends now.
    """
    outcomes = []
    try:
        for place, spec in enumerate(specs):
            if place not in done:
                begun = unfinished(Path(request.project), spec) if done else ""
                tell(place, run_job(spec, request._replace(continued=begun)))
            outcomes.append(done[place])
    finally:
        forget()
    return outcomes
