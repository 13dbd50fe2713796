"""Which steps of a chain run, and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryoflow.errors import CryoflowError, ErrorCollector
from cryoflow.launch.chain.steps import Step, feeds, find_step, with_numbers
from cryoflow.launch.inputs import input_files
from cryoflow.launch.previous_runs import Verdict, step_status
from cryoflow.project.markers import ran_in_relion
from cryoflow.project.names import TRASH
from cryoflow.project.record import RECORD, read_record
from cryoflow.spec import JobSpec


class Range(NamedTuple):
    """Which steps of a chain.

    Attributes
    ----------
    start, stop : str
        First and last step; empty for those of the chain.
    force : bool
        Whether steps run that are up to date.
    """

    start: str = ""
    stop: str = ""
    force: bool = False


class Planned(NamedTuple):
    """A step and what is to be done with it."""

    step: Step
    spec: JobSpec
    directory: str
    verdict: Verdict


def chosen(steps: Sequence[Step], wanted: Range) -> list[Step]:
    """Return the steps from ``start`` to ``stop``, in the order in which they run."""
    first = find_step(steps, wanted.start) if wanted.start else 0
    last = find_step(steps, wanted.stop) if wanted.stop else len(steps) - 1
    if first > last:
        raise CryoflowError(f"--from {wanted.start} comes after --to {wanted.stop}")
    return list(steps[first : last + 1])


def plan_step(step: Step, steps: Sequence[Step], project: Path, force: bool) -> Planned:
    """RowScores at one step as things stand now."""
    spec, directory = with_numbers(step, steps, project), step.directory(project)
    verdict = step_status(project, spec, directory)
    if force and verdict.action == "skip":
        verdict = Verdict("again", "forced")
    return Planned(step, spec, directory, verdict)


def plan_all(steps: Sequence[Step], project: Path, wanted: Range) -> list[Planned]:
    """Say beforehand what would be done; a step runs if one that feeds it does.

    Raises
    ------
    SpecError
        If an input is neither there nor made by a step, or a step's directory is another's.
    """
    problems = ErrorCollector()
    plans: list[Planned] = []
    for step in chosen(steps, wanted):
        with problems:
            plan = plan_step(step, steps, project, wanted.force)
            problems.add(_missing(plan, steps, project))
            above = [p.step for p in plans if p.verdict.action != "skip" and feeds(p.step, step)]
            if above and plan.verdict.action == "skip":
                plan = plan._replace(verdict=Verdict("again", f"takes files of {above[0].title}"))
            plans.append(plan)
            check_replaceable(plan, project)
    problems.raise_if_any()
    return plans


def check_replaceable(plan: Planned, project: Path) -> None:
    """Refuse to run a step again where that would cost the user another job."""
    if plan.verdict.action != "again":
        return
    name, mend = plan.directory, "give the step another number or move it away"
    if ran_in_relion(project / name):
        raise CryoflowError(f"{name}: RELION has run in it as well, so it is not replaced; {mend}")
    alias = read_record(project / name)["spec"].get("alias")
    if alias != plan.spec.alias:
        other = f"'{alias}'" if alias else "a job without an alias"
        raise CryoflowError(f"{name}: is {other}, not {plan.step.title}, so it is not replaced; {mend}")
    old = project / TRASH / name
    if old.exists() and (ran_in_relion(old) or not (old / RECORD).exists()):
        raise CryoflowError(
            f"{TRASH}/{name}: is in the way of {name}, and not made by cryoflow; move it away"
        )


def _missing(plan: Planned, steps: Sequence[Step], project: Path) -> list[str]:
    """Say which inputs are neither there nor below the directory of a step."""
    own = {step.title for step in steps} | {step.directory(project) for step in steps}
    return [
        f"{name}: no such file in the project {project}; {plan.step.title} takes it"
        for name in input_files(plan.spec)
        if not (project / name).exists() and "/".join(name.split("/")[:2]) not in own
    ]
