"""From specs and overrides to jobs: checked here, composed and launched by Hydra."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cryoflow.errors import CryoflowError, SpecError

if TYPE_CHECKING:
    from cryoflow.launch.job import Outcome
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
    """

    project: Path
    command: str
    continued: str = ""
    multirun: bool = False
    launcher: str = "local"


def run_specs(paths: Sequence[str | PathLike[str]], overrides: Sequence[str], options: RunOptions) -> int:
    """Run specs one after the other; every point of every one is checked before the first starts.

    Parameters
    ----------
    paths : sequence of path-like
        Spec files; none with ``options.continued`` takes the spec of the record.
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
    from cryoflow.launch.plan import make_plans
    from cryoflow.launch.presets import read_preset
    from cryoflow.project.directory import check_writable

    options = options._replace(project=options.project.absolute())
    check_writable(options.project)
    if options.multirun:
        read_preset(options.launcher)
    plans = make_plans(_sources([fspath(path) for path in paths], options), overrides, options.multirun)
    if not options.continued:
        _check_free(plans, options.project)
    codes: list[int] = []
    for done, plan in enumerate(plans, start=1):
        outcomes = _launch(plan, options)
        codes.extend(outcome.code for outcome in outcomes)
        if any(outcome.code == 1 or not outcome.directory for outcome in outcomes):
            _tell_skipped(plans[done:])
            break
    return next((code for code in (1, 2) if code in codes), 0)


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


def _check_free(plans: Sequence[Plan], project: Path) -> None:
    """Refuse numbers and aliases that are taken, by jobs that exist or by each other."""
    from cryoflow.project.directory import check_free, job_name

    problems, seen = [], set()
    for spec in (plan.spec for plan in plans):
        try:
            check_free(project, spec.job, spec.number, spec.alias)
        except CryoflowError as error:
            problems.append(str(error))
        if spec.number in seen:
            problems.append(f"{spec.job}/{job_name(spec.number or 0)}: another spec has this number as well")
        seen |= {spec.number} - {None}
    if problems:
        raise SpecError(problems)


def _launch(plan: Plan, options: RunOptions) -> list[Outcome]:
    from cryoflow.launch.job import Request
    from cryoflow.launch.sweep import launch_points

    beside = options.multirun and options.launcher != "local"
    request = Request(str(options.project), options.command, options.continued, beside)
    outcomes = launch_points(plan, request, options.launcher if options.multirun else None)
    if options.multirun:
        _say(f"{plan.spec.job}: {len(outcomes)} points, each with the next free number and no alias")
        for values, outcome in zip(_varied(plan), outcomes, strict=True):
            _say(f"{values}: {_ending(outcome)}")
    for outcome in outcomes:
        if outcome.directory:
            _say(f"{outcome.directory}/")
    return outcomes


def _varied(plan: Plan) -> list[str]:
    """Return what tells the points apart: the values that not all of them share."""
    columns = [column for column in zip(*plan.points, strict=True) if len(set(column)) > 1]
    return [" ".join(column[at] for column in columns) or "the only point" for at in range(len(plan.points))]


def _ending(outcome: Outcome) -> str:
    refused = "refused" if not outcome.directory else "partial"
    return f"{outcome.directory} {('done', 'failed', refused)[outcome.code]}: {outcome.message}".lstrip()


def _tell_skipped(plans: Sequence[Plan]) -> None:
    if plans:
        jobs = ", ".join(plan.spec.job for plan in plans)
        sys.stderr.write(f"not started, since the job before did not end well: {jobs}\n")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
