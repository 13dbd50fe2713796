"""Run the steps of a chain that are not up to date.

A step keeps its number: when it has to run again, its directory is moved to RELION's ``Trash`` (which keeps
the latest few of the same job) and created again, so that every path that names the job means its latest
result. RELION itself would assign a new number and move the alias; a chain is one set of results with fixed
names, and ``Trash`` keeps the previous ones. What cryoflow has not made is neither moved nor removed.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from cryoflow.errors import CryoflowError, SpecError
from cryoflow.jobs import registry
from cryoflow.launch.chain.plan import (
    Planned,
    Range,
    check_replaceable,
    chosen,
    follows,
    plan_all,
    plan_step,
    refusals,
)
from cryoflow.launch.chain.steps import Step, read_chain
from cryoflow.launch.job.run import run_job
from cryoflow.launch.options import RunOptions
from cryoflow.launch.outcome import Outcome, Request, report_skipped, worst_code
from cryoflow.project.names import TRASH, job_number
from cryoflow.project.trash import discard_job
from cryoflow.screen import print_error, say

_REMEDY = (
    "add --replace to run these steps again (the old results go to Trash), "
    "or --from STEP to go on with the results as they are"
)


def run_chain(paths: Sequence[str], overrides: Sequence[str], options: RunOptions) -> int:
    """Run the steps of a chain that are not up to date, or only report them; return the exit code.

    Raises
    ------
    CryoflowError
        If nothing was started because the chain or the options are invalid.
    """
    if len(paths) > 1 or options.multirun or options.continued:
        raise CryoflowError(
            f"{paths[0]}: a chain cannot be combined with other specs, --multirun or --continue"
        )
    steps = read_chain(paths[0], overrides)
    wanted = Range(options.start, options.stop, options.force, options.replace)
    plans = plan_all(steps, options.project, wanted)
    if options.dry:
        from cryoflow.launch.dry_run import report_steps

        return report_steps(plans, options.project)
    may_replace = options.replace or _may_replace(refusals(plans))
    return _run_steps(chosen(steps, wanted, options.project), steps, options._replace(replace=may_replace))


def _may_replace(lines: Sequence[str]) -> bool:
    """Ask on a terminal whether finished results may be replaced; elsewhere refuse.

    Raises
    ------
    SpecError
        With the steps concerned, if not.
    """
    if not lines:
        return False
    if sys.stdin.isatty() and sys.stdout.isatty():
        for line in lines:
            say(line)
        if input("Replace them? The old ones go to Trash. [y/N] ").strip().lower() in {"y", "yes"}:
            return True
    raise SpecError([*lines, _REMEDY])


def _run_steps(wanted: Sequence[Step], steps: Sequence[Step], options: RunOptions) -> int:
    outcomes: list[Outcome] = []
    completed = set[str]()
    partial = False
    for done, step in enumerate(wanted, start=1):
        plan = plan_step(step, steps, options.project, options.force)
        where = f" ({plan.directory})" if plan.directory else ""
        say(f"{step.title}{where}: {plan.verdict.why}")
        if plan.verdict.action == "skip":
            partial |= plan.verdict.partial
            _draw_if_lost(plan, options.project)
            continue
        if plan.verdict.asks and not options.replace and not follows(plan.verdict.inputs, completed):
            raise SpecError([*refusals([plan]), _REMEDY])
        if plan.verdict.action == "continue" or (plan.verdict.action == "again" and not options.replace):
            completed.add(plan.directory)
        outcomes.append(run_planned(plan, options.project, options.command))
        if outcomes[-1].stops_others:
            report_skipped([step.title for step in wanted[done:]])
            break
    return worst_code(outcomes) or (2 if partial else 0)


def _draw_if_lost(plan: Planned, project: Path) -> None:
    """Draw the pictures of a step that is up to date if there are none; they are no part of its results."""
    directory = project / plan.directory
    if any(directory.glob("*.png")):
        return
    try:
        drawn = registry.draw_pictures(plan.spec.job, directory, project)
    except (CryoflowError, OSError) as error:
        print_error(f"{plan.directory}: no pictures: {error}")
        return
    if drawn:
        say(f"{plan.directory}: drew {len(drawn)} lost pictures again")


def run_planned(plan: Planned, project: Path, command: str) -> Outcome:
    """Run one step in its directory; earlier content goes to the trash, unless the step is resumed."""
    continued = plan.directory if plan.verdict.action == "continue" else ""
    spec = plan.spec
    if plan.verdict.action == "again":
        check_replaceable(plan, project)
        discard_job(project, plan.directory)
        say(
            f"{plan.directory}: moved the earlier results to {TRASH}/{plan.directory}; to bring them back: "
            f"cryoflow restore {plan.directory}{_where(project)}"
        )
        spec = spec.model_copy(update={"number": job_number(plan.directory)})
    return run_job(spec, Request(str(project), command, continued))


def _where(project: Path) -> str:
    return "" if project == Path.cwd() else f" --project {shlex.quote(str(project))}"
