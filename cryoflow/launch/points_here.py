"""Run the points of a sweep one after the other in this process, which has everything imported and loaded."""

from __future__ import annotations

from collections.abc import Sequence

from cryoflow.launch.job import Outcome, Request, forget
from cryoflow.launch.taken_up import Known, run_point_once
from cryoflow.spec import JobSpec


def run_points(specs: Sequence[JobSpec], request: Request, known: Known) -> list[Outcome]:
    """Run points in their order.

    Parameters
    ----------
    specs : sequence of JobSpec
        One a point.
    request : Request
        Where and how to run.
    known : dict
        Points that an earlier, interrupted run of this sweep has begun or finished.
    """
    try:
        return [run_point_once(spec, request, known) for spec in specs]
    finally:
        forget()
