"""Run the steps of a chain that are not up to date.

A step keeps its number: when it has to run again, its directory is moved to RELION's ``Trash`` (replacing
what is there of the same job) and created again, so that every path that names the job means its latest
result. RELION itself would assign a new number and move the alias; a chain is one set of results with fixed
names, and ``Trash`` keeps the previous one. What cryoflow has not made is neither moved nor removed.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from cryoflow.errors import CryoflowError
from cryoflow.launch.chain.plan import Planned, Range, check_replaceable, chosen, plan_all, plan_step
from cryoflow.launch.chain.steps import Step, read_chain
from cryoflow.launch.job.run import run_job
from cryoflow.launch.options import RunOptions
from cryoflow.launch.outcome import Outcome, Request, report_skipped, worst_code
from cryoflow.project.names import TRASH, job_number
from cryoflow.screen import say


def run_chain(paths: Sequence[str], overrides: Sequence[str], options: RunOptions) -> int:
    """Run the steps of a chain that are not up to date, or only report them; return the exit code.

    Raises
    ------
    CryoflowError
        If nothing was started because something is wrong with the chain or what was asked for.
    """
    if len(paths) > 1 or options.multirun or options.continued:
        raise CryoflowError(
            f"{paths[0]}: a chain cannot be combined with other specs, --multirun or --continue"
        )
    steps = read_chain(paths[0], overrides)
    wanted = Range(options.start, options.stop, options.force)
    plans = plan_all(steps, options.project, wanted)
    if options.dry:
        from cryoflow.launch.dry_run import report_steps

        return report_steps(plans, options.project)
    return _run_steps(chosen(steps, wanted), steps, options)


def _run_steps(wanted: Sequence[Step], steps: Sequence[Step], options: RunOptions) -> int:
    outcomes: list[Outcome] = []
    for done, step in enumerate(wanted, start=1):
        plan = plan_step(step, steps, options.project, options.force)
        where = f" ({plan.directory})" if plan.directory else ""
        say(f"{step.title}{where}: {plan.verdict.why}")
        if plan.verdict.action == "skip":
            continue
        outcomes.append(run_planned(plan, options.project, options.command))
        if outcomes[-1].stops_others:
            report_skipped([step.title for step in wanted[done:]])
            break
    return worst_code(outcomes)


def run_planned(plan: Planned, project: Path, command: str) -> Outcome:
    """Run one step in its directory; earlier content goes to the trash, unless the step is resumed."""
    continued = plan.directory if plan.verdict.action == "continue" else ""
    spec = plan.spec
    if plan.verdict.action == "again":
        check_replaceable(plan, project)
        _discard(project, plan.directory)
        spec = spec.model_copy(update={"number": job_number(plan.directory)})
    return run_job(spec, Request(str(project), command, continued))


def _discard(project: Path, directory: str) -> None:
    target = project / TRASH / directory
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    (project / directory).rename(target)
