"""Plan of a chain: which steps run, and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryoflow.errors import CryoflowError, ErrorCollector
from cryoflow.launch.chain.steps import Step, feeds, find_step, with_numbers
from cryoflow.launch.inputs import input_files
from cryoflow.launch.previous_runs import Verdict, other_place, step_status
from cryoflow.project.markers import ran_in_relion
from cryoflow.project.names import TRASH
from cryoflow.project.record import RECORD, read_record
from cryoflow.spec import JobSpec


class Range(NamedTuple):
    """Range of steps of a chain.

    Attributes
    ----------
    start, stop : str
        First and last step; empty for those of the chain.
    force : bool
        Whether steps run that are up to date.
    replace : bool
        Whether finished results may be replaced.
    """

    start: str = ""
    stop: str = ""
    force: bool = False
    replace: bool = False


class Planned(NamedTuple):
    """A step and what to do with it."""

    step: Step
    spec: JobSpec
    directory: str
    verdict: Verdict


def chosen(steps: Sequence[Step], wanted: Range, project: Path) -> list[Step]:
    """Return the steps from ``start`` to ``stop``, in the order in which they run."""
    first = find_step(steps, wanted.start, project) if wanted.start else 0
    last = find_step(steps, wanted.stop, project) if wanted.stop else len(steps) - 1
    if first > last:
        raise CryoflowError(f"--from {wanted.start}: this step comes after --to {wanted.stop}; swap them")
    return list(steps[first : last + 1])


def plan_step(step: Step, steps: Sequence[Step], project: Path, force: bool) -> Planned:
    """Decide on one step by the current files."""
    spec, directory = with_numbers(step, steps, project), step.directory(project)
    verdict = step_status(project, spec, directory)
    if force and verdict.action == "skip":
        verdict = Verdict("again", "forced", asks=True)
    return Planned(step, spec, directory, verdict)


def plan_all(steps: Sequence[Step], project: Path, wanted: Range) -> list[Planned]:
    """Decide on all steps before any runs; a step runs if one that feeds it does.

    Raises
    ------
    SpecError
        If an input neither exists nor is made by a step, or a directory belongs to another job.
    """
    problems = ErrorCollector()
    plans: list[Planned] = []
    for step in chosen(steps, wanted, project):
        with problems:
            plan = plan_step(step, steps, project, wanted.force)
            problems.add(_missing(plan, steps, project))
            above = [p.step for p in plans if p.verdict.action != "skip" and feeds(p.step, step)]
            if above and plan.verdict.action == "skip":
                plan = plan._replace(verdict=Verdict("again", f"uses files of {above[0].title}"))
            if follows(plan.verdict.inputs, {p.directory for p in plans if _goes_on(p.verdict)}):
                plan = plan._replace(verdict=plan.verdict._replace(asks=False))  # known when these have run
            plans.append(plan)
            check_replaceable(plan, project)
    problems.raise_if_any()
    return plans


def follows(inputs: Sequence[str], completed: set[str]) -> bool:
    """Return whether a step is outdated only because jobs that feed it are completed."""
    return bool(inputs) and all("/".join(name.split("/")[:2]) in completed for name in inputs)


def _goes_on(verdict: Verdict) -> bool:
    return verdict.action == "continue" or (verdict.action == "again" and not verdict.asks)


def refusals(plans: Sequence[Planned]) -> list[str]:
    """Return a line for each step that would replace finished results."""
    return [
        f"{plan.step.title} ({plan.directory}): would replace finished results: {plan.verdict.why}"
        for plan in plans
        if plan.verdict.asks
    ]


def check_replaceable(plan: Planned, project: Path) -> None:
    """Refuse to run a step again where that would replace another job."""
    if plan.verdict.action != "again":
        return
    name, remedy = plan.directory, other_place(plan.spec)
    if ran_in_relion(project / name):
        raise CryoflowError(f"{name}: RELION has run in this directory, so it is not replaced; {remedy}")
    record = read_record(project / name)
    alias = record["spec"].get("alias")
    if alias != plan.spec.alias:
        owner = f"'{alias}'" if alias else record.get("sweep") or "a job without an alias"
        title = plan.step.title
        raise CryoflowError(f"{name}: belongs to {owner}, not to {title}, so it is not replaced; {remedy}")
    old = project / TRASH / name
    if old.exists() and (ran_in_relion(old) or not (old / RECORD).exists()):
        raise CryoflowError(
            f"{TRASH}/{name}: was not made by cryoflow, so {name} cannot replace it there; move it away"
        )


def _missing(plan: Planned, steps: Sequence[Step], project: Path) -> list[str]:
    """Report the inputs that neither exist nor are in the directory of a step."""
    own = {step.title for step in steps} | {step.directory(project) for step in steps}
    return [
        f"{name}: no such file in the project {project}; {plan.step.title} needs it"
        for name in input_files(plan.spec)
        if not (project / name).exists() and "/".join(name.split("/")[:2]) not in own
    ]
