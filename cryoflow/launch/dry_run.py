"""The report of ``--dry-run``: what would run, where, why, on which inputs, and with how much memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cryoflow.launch.chain.plan import Planned
from cryoflow.launch.inputs import expected_files, with_files
from cryoflow.launch.job.memory import expected_gb
from cryoflow.launch.plan import Plan
from cryoflow.project.names import job_name
from cryoflow.screen import say
from cryoflow.spec import JobSpec
from cryoflow.spec.gpu import wanted_device

_ACTIONS = {
    "skip": "would be skipped",
    "run": "would run",
    "continue": "would resume",
    "again": "would run again",
}


def report_steps(plans: Sequence[Planned], project: Path) -> int:
    """Report what would be done with the steps of a chain."""
    makers = {name: plan.step.spec for plan in plans for name in (plan.directory, plan.step.title)}
    for plan in plans:
        where = f" in {plan.directory}" if plan.directory else " with the next free number"
        action = _ACTIONS[plan.verdict.action]
        asks = "; this replaces finished results and needs --replace" if plan.verdict.asks else ""
        where = where if plan.verdict.action != "skip" else ""
        say(f"{plan.step.title} {action}{where}: {plan.verdict.why}{asks}")
        if plan.verdict.action != "skip":
            _report_inputs(plan.spec, project, makers)
    return 0


def report_plans(plans: Sequence[Plan], project: Path, continued: Sequence[str]) -> int:
    """Report what would be done with specs given one by one; ``continued`` are directories to resume in."""
    for plan, directory in zip(plans, continued, strict=True):
        number = plan.spec.number
        fixed = "with the next free number" if number is None else f"in {plan.spec.job}/{job_name(number)}"
        where = f"in {directory}" if directory else fixed
        count = "once per trial of the search" if plan.search else f"{len(plan.points)} times"
        points = f" {count}, with the next free numbers" if len(plan.points) > 1 else ""
        say(f"{plan.spec.job} would run{points or f' {where}'}")
        _report_inputs(with_files(project, plan.spec), project)
    return 0


def _report_inputs(spec: JobSpec, project: Path, makers: Mapping[str, JobSpec] | None = None) -> None:
    for name in expected_files(spec, makers or {}):
        say(f"  reads {name}{'' if (project / name).exists() else ' (does not exist yet)'}")
    memory = expected_gb(spec, project)
    device = wanted_device(spec)
    size = f"about {memory:.1f} GB of memory" if memory else "memory unknown until the inputs exist"
    say(f"  on device {device}, {size}")
