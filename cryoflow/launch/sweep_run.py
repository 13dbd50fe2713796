"""Run a sweep by the launcher that was chosen, and end it with table, pictures and record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cryoflow.launch.job import Outcome, Request
from cryoflow.launch.points_here import run_points
from cryoflow.launch.sweep_folder import Sweep, read_sweep, write_sweep

if TYPE_CHECKING:
    from cryoflow.launch import RunOptions
    from cryoflow.launch.plan import Plan


def run_sweep(plan: Plan, sweep: Sweep, options: RunOptions) -> list[Outcome]:
    """Run the points that are not done yet: here, or in the processes of a Hydra launcher."""
    beside = options.launcher != "local"
    pictures = plan.spec.job != "AutoPick"  # the sweep has a picture of picks itself
    request = Request(str(options.project), options.command, "", beside, pictures, sweep=True)
    if not beside:
        return run_points(plan.specs, request, sweep)
    from cryoflow.launch.sweep import launch_points

    outcomes = launch_points(plan, request, options.launcher)
    for place, outcome in enumerate(outcomes):
        sweep.note(place, outcome)
    return outcomes


def end_sweep(
    sweep: Sweep, project: Path, points: Sequence[Sequence[str]], outcomes: Sequence[Outcome]
) -> list[str]:
    """Write table, pictures and the final record; return what went wrong with the pictures."""
    from cryoflow.launch.sweep_report import report_sweep

    warnings = report_sweep(sweep.directory, project, points, outcomes)
    record = read_sweep(sweep.directory)
    jobs = [{"job": outcome.directory, "code": outcome.code} for outcome in outcomes]
    write_sweep(sweep.directory, {**record, "status": "ended", "jobs": jobs})
    return warnings
