"""From specs and overrides to jobs: checked here, composed and launched by Hydra."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cryoflow.errors import CryoflowError, ErrorCollector
from cryoflow.screen import say

if TYPE_CHECKING:
    from cryoflow.launch.job.run import Outcome
    from cryoflow.launch.plan import Plan, Source


class RunOptions(NamedTuple):
    """How to run, as the command line says it.

    Attributes
    ----------
    project : Path
        Project root.
    command : str
        The command line, for notes and records.
    continued : str
        Job directory to run in again; empty for new ones.
    multirun : bool
        Whether lists of values are a sweep.
    launcher : str
        Launcher preset of a sweep.
    start, stop : str
        First and last step of a chain.
    force : bool
        Whether the steps of a chain run even if they are up to date.
    dry : bool
        Whether only to say what would run.
    """

    project: Path
    command: str
    continued: str = ""
    multirun: bool = False
    launcher: str = "local"
    start: str = ""
    stop: str = ""
    force: bool = False
    dry: bool = False


def run_specs(paths: Sequence[str | PathLike[str]], overrides: Sequence[str], options: RunOptions) -> int:
    """Run specs one after the other, or a chain; all is checked before the first job starts.

    Parameters
    ----------
    paths : sequence of path-like
        Spec files, or one file with a chain; none with ``options.continued`` takes the spec of the record.
    overrides : sequence of str
        ``name=value`` by dotted name, short name or label; each goes to all specs that have the field.
    options : RunOptions
        Where and how.

    Returns
    -------
    int
        Exit code: 0 all fine, 1 a job failed, 2 refused or some items failed.

    Raises
    ------
    CryoflowError
        If nothing was started because something is wrong with what was asked for.
    """
    from cryoflow.launch.chain.steps import is_chain
    from cryoflow.launch.hydra_settings import check_hydra_words, take_hydra_words
    from cryoflow.launch.launchers import read_preset
    from cryoflow.launch.plan import make_plans
    from cryoflow.project.directory import check_writable

    options = options._replace(project=options.project.absolute())
    check_writable(options.project)
    names = [fspath(path) for path in paths]
    if any(is_chain(name) for name in names):
        return _run_chain(names, overrides, options)
    if options.start or options.stop or options.force:
        raise CryoflowError("--from, --to and --force choose steps of a chain; none is given")
    own, hydra = take_hydra_words(overrides)
    check_hydra_words(hydra, options.multirun, options.launcher)
    if options.multirun:
        read_preset(options.launcher)
    here = options.multirun and options.launcher == "local" and not hydra.words
    plans = make_plans(_sources(names, options), own, options.multirun, hydra, composed=not here)
    if options.dry:
        return _report_plans(plans, options)
    return _run_plans(plans, options)


def _run_plans(plans: Sequence[Plan], options: RunOptions) -> int:
    begun = [_begun(plan, options) for plan in plans]
    _check_free([plan for plan, name in zip(plans, begun, strict=True) if not name], options.project)
    codes: list[int] = []
    for done, (plan, name) in enumerate(zip(plans, begun, strict=True), start=1):
        outcomes = _launch(plan, options._replace(continued=name))
        codes.extend(outcome.code for outcome in outcomes)
        if any(outcome.code == 1 or not outcome.directory for outcome in outcomes):
            _report_skipped([plan.spec.job for plan in plans[done:]])
            break
    return _worst(codes)


def _run_chain(paths: Sequence[str], overrides: Sequence[str], options: RunOptions) -> int:
    from cryoflow.launch.chain.run import Range, chosen, plan_all, plan_step, run_planned
    from cryoflow.launch.chain.steps import read_chain

    if len(paths) > 1 or options.multirun or options.continued:
        raise CryoflowError(f"{paths[0]}: a chain runs alone, without other specs, --multirun and --continue")
    steps = read_chain(paths[0], overrides)
    wanted = Range(options.start, options.stop, options.force)
    plans = plan_all(steps, options.project, wanted)
    if options.dry:
        from cryoflow.launch.dry_run import report_steps

        return report_steps(plans, options.project)
    codes: list[int] = []
    some = chosen(steps, wanted)
    for done, step in enumerate(some, start=1):
        plan = plan_step(step, steps, options.project, options.force)
        where = f" ({plan.directory})" if plan.directory else ""
        say(f"{step.title}{where}: {plan.verdict.why}")
        if plan.verdict.action == "skip":
            continue
        outcome = run_planned(plan, options.project, options.command)
        codes.append(outcome.code)
        if outcome.code == 1 or not outcome.directory:
            _report_skipped([step.title for step in some[done:]])
            break
    return _worst(codes)


def _worst(codes: Sequence[int]) -> int:
    """Return 1 if a job has failed, else 2 if one has left something out, else 0."""
    return next((code for code in (1, 2) if code in codes), 0)


def _report_plans(plans: Sequence[Plan], options: RunOptions) -> int:
    from cryoflow.launch.dry_run import report_plans

    if not options.continued:
        _check_free([plan for plan in plans if not _begun(plan, options)], options.project)
    return report_plans(plans, options.project, options.continued)


def _sources(paths: Sequence[str], options: RunOptions) -> Sequence[Source]:
    from cryoflow.launch.plan import Source, read_sources
    from cryoflow.project.directory import find_job_directory
    from cryoflow.project.record import RECORD, read_record
    from cryoflow.spec.yamltext import Document

    if not options.continued:
        return read_sources(paths)
    if options.multirun:
        raise CryoflowError("--continue and --multirun: one directory cannot hold several jobs; choose one")
    if len(paths) > 1:
        raise CryoflowError(f"--continue {options.continued}: takes one spec, or none for the recorded one")
    directory = find_job_directory(options.project, options.continued)
    if paths:
        return read_sources(paths)
    return [Source(str(directory / RECORD), Document(read_record(directory)["spec"], {}, []))]


def _begun(plan: Plan, options: RunOptions) -> str:
    """Return the directory to run in again: the one asked for, or that of the same job that has not ended."""
    from cryoflow.launch.resume import unfinished

    if options.continued or options.multirun:
        return options.continued
    name = unfinished(options.project, plan.spec)
    if name:
        say(f"{name}: begun with the same spec and not ended; continuing")
    return name


def _check_free(plans: Sequence[Plan], project: Path) -> None:
    """Refuse numbers and aliases that are taken, by jobs that exist or by each other."""
    from cryoflow.project.directory import check_free
    from cryoflow.project.names import job_name

    problems, seen = ErrorCollector(), set[int]()
    for spec in (plan.spec for plan in plans):
        with problems:
            check_free(project, spec.job, spec.number, spec.alias)
        if spec.number is not None:
            if spec.number in seen:
                problems.add([f"{spec.job}/{job_name(spec.number)}: another spec has this number as well"])
            seen.add(spec.number)
    problems.raise_if_any()


def _launch(plan: Plan, options: RunOptions) -> list[Outcome]:
    if options.multirun:
        from cryoflow.launch.sweep.run import run_sweep

        return run_sweep(plan, options)
    from cryoflow.launch.job.run import Request
    from cryoflow.launch.sweep.hydra import launch_points

    request = Request(str(options.project), options.command, options.continued)
    outcomes = [point.outcome for point in launch_points(plan, request)]
    for outcome in outcomes:
        if outcome.directory:
            say(f"{outcome.directory}/")
    return outcomes


def _report_skipped(jobs: Sequence[str]) -> None:
    if jobs:
        text = ", ".join(jobs)
        sys.stderr.write(f"not started, since the job before did not end well: {text}\n")
