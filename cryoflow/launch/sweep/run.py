"""Run a sweep with the selected launcher, then write its table, pictures and record."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cryoflow.jobs.registry import JOB_TYPES
from cryoflow.launch.outcome import Outcome, Request
from cryoflow.launch.sweep.folder import Sweep, open_sweep, read_sweep, write_sweep
from cryoflow.launch.sweep.hydra import Ended, launch_points
from cryoflow.launch.sweep.local import run_points
from cryoflow.project.lock import holding
from cryoflow.screen import say

if TYPE_CHECKING:
    from cryoflow.launch.options import RunOptions
    from cryoflow.launch.plan import Plan


def run_sweep(plan: Plan, options: RunOptions) -> list[Outcome]:
    """Run the points of a sweep, or those that an interrupted run has not finished, and report on all.

    Raises
    ------
    CryoflowError
        If workers of an interrupted run of the same sweep are still running, or no point will have the
        objective.
    """
    from cryoflow.launch.sweep.objective import check_objective

    check_objective(plan.specs, options.project)
    count = "points by search" if plan.search else f"{len(plan.points)} points"
    say(f"{plan.spec.job}: {count}, each with the next free number and no alias")
    sweep = open_sweep(options.project, options.command, plan.points, plan.spec.job)
    with holding(sweep.directory) as log:

        def report(line: str) -> None:
            say(line)
            log.write(line + "\n")

        done = sum(code is not None for _, code in sweep.known.values())
        if done:
            report(f"{done} point{' was' if done == 1 else 's were'} already done")
        ended = _run(plan, sweep, options)
        for point, values in zip(ended, _varied([one.values for one in ended]), strict=True):
            report(f"{values}: {_ending(point.outcome)}")
        if ended:
            _end(plan, sweep, options, ended, report)
    for point in ended:
        if point.outcome.directory:
            say(f"{point.outcome.directory}/")
    say(f"{sweep.name}/")
    return [point.outcome for point in ended] or [Outcome("", 1, "no point was run")]


def _run(plan: Plan, sweep: Sweep, options: RunOptions) -> list[Ended]:
    """Run the points in this process, or through Hydra's launchers and sweepers."""
    here = options.launcher == "local" and not plan.hydra
    concurrent = options.launcher != "local" or any(word.startswith("hydra/launcher=") for word in plan.hydra)
    pictures = JOB_TYPES[plan.spec.job].sweep.pictures
    request = Request(str(options.project), options.command, "", concurrent, pictures, sweep.name)
    if here:
        found = run_points(plan.specs, request, sweep.known)
        return [Ended(point, *one) for point, one in zip(plan.points, found, strict=True)]
    launcher = "" if options.launcher == "local" else options.launcher
    return launch_points(plan, request, launcher, sweep.known)


def _end(
    plan: Plan, sweep: Sweep, options: RunOptions, ended: Sequence[Ended], report: Callable[[str], None]
) -> None:
    """Write table, pictures and the final record, and report the best point."""
    from cryoflow.launch.sweep.objective import best_row, column
    from cryoflow.launch.sweep.report import report_sweep

    points, outcomes, found = zip(*ended, strict=True)
    table, notes, warnings = report_sweep(sweep.directory, options.project, points, found, plan.spec.job)
    for line in notes:
        report(line)
    for line in warnings:
        sys.stderr.write(f"warning: {line}\n")
    record = read_sweep(sweep.directory)
    record |= {"status": "ended", "points": [list(point) for point in points]}
    record["jobs"] = [{"job": outcome.directory, "code": outcome.code} for outcome in outcomes]
    objective = plan.spec.objective
    best = best_row(objective, table) if objective else None
    if objective and best is None:
        sys.stderr.write(f"warning: objective: no point has a number in '{column(objective)}'\n")
    if objective and best is not None:
        row = table.rows.iloc[best]
        values = " ".join(f"{name}={row[name]}" for name in table.varied)
        report(f"best {objective}: {values} ({row['job']}, {column(objective)} {row[column(objective)]:g})")
        record["best"] = str(row["job"])
    write_sweep(sweep.directory, record)


def _varied(points: Sequence[Sequence[str]]) -> list[str]:
    """Return the values that distinguish the points: those that not all of them share."""
    columns = [column for column in zip(*points, strict=True) if len(set(column)) > 1]
    return [" ".join(column[at] for column in columns) or "the only point" for at in range(len(points))]


def _ending(outcome: Outcome) -> str:
    refused = "refused" if not outcome.directory else "partial"
    return f"{outcome.directory} {('done', 'failed', refused)[outcome.code]}: {outcome.message}".lstrip()
