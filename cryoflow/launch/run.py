"""From specs and overrides to jobs: all is validated before the first one starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryoflow.errors import CryoflowError, ErrorCollector
from cryoflow.launch.options import RunOptions
from cryoflow.launch.outcome import Outcome, Request, report_skipped, worst_code
from cryoflow.screen import say
from cryoflow.spec import JobSpec

if TYPE_CHECKING:
    from cryoflow.launch.plan import Plan, Source


def run_specs(paths: Sequence[str | PathLike[str]], overrides: Sequence[str], options: RunOptions) -> int:
    """Run specs one after the other, or a chain; all is validated before the first job starts.

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
        If nothing was started because specs or options are invalid.
    """
    from cryoflow.launch.chain.steps import is_chain
    from cryoflow.project.directory import check_writable

    options = options._replace(project=options.project.absolute())
    check_writable(options.project)
    names = [fspath(path) for path in paths]
    if any(is_chain(name) for name in names):
        from cryoflow.launch.chain.run import run_chain

        return run_chain(names, overrides, options)
    plans = _plans(names, overrides, options)
    continued = [_resumed(plan.spec, options) for plan in plans]
    _check_free([plan.spec for plan, name in zip(plans, continued, strict=True) if not name], options.project)
    if options.dry:
        from cryoflow.launch.dry_run import report_plans

        return report_plans(plans, options.project, continued)
    return _run_plans(plans, continued, options)


def run_spec(
    spec: str | PathLike[str] | Mapping[str, Any] | JobSpec,
    overrides: Mapping[str, Any] | Sequence[str] = (),
    project: str | PathLike[str] = ".",
    *,
    continued: str = "",
    command: str = "cryoflow.run",
    quiet: bool = True,
) -> Outcome:
    """Run one spec in this process and return how its job ended.

    A job that was killed with the same spec is resumed in its directory.

    Parameters
    ----------
    spec : path-like, mapping or JobSpec
        A spec file, its content, or a spec that was validated already.
    overrides : mapping, or sequence of str
        Values by dotted name, short name or label; or ``name=value``, read as in a spec file.
    project : path-like
        Project root.
    continued : str
        Job directory to run in again; empty for a new one.
    command : str
        What the record and the note say started the job.
    quiet : bool
        Whether to print nothing; the job's logs are written in any case.

    Raises
    ------
    SpecError
        If the spec or an override is refused; with every problem.
    CryoflowError
        If nothing was started for another reason, such as a job number in use.
    """
    from cryoflow.launch.job.run import run_job
    from cryoflow.launch.plan import source_of
    from cryoflow.project.directory import check_writable
    from cryoflow.spec.load import spec_from

    options = RunOptions(Path(project).absolute(), command, continued)
    check_writable(options.project)
    source = source_of(spec)
    given = overrides.items() if isinstance(overrides, Mapping) else overrides
    job = spec_from(source.document, source.name, [*given])
    directory = _resumed(job, options, quiet)
    if not directory:
        _check_free([job], options.project)
    return run_job(job, Request(str(options.project), command, directory, quiet=quiet))


def _plans(paths: Sequence[str], overrides: Sequence[str], options: RunOptions) -> list[Plan]:
    """Validate everything; a sweep in this process needs no composition by Hydra."""
    from cryoflow.launch.hydra_settings import check_hydra_words, take_hydra_words
    from cryoflow.launch.launchers import read_preset
    from cryoflow.launch.plan import make_plans

    if options.start or options.stop or options.force or options.replace:
        raise CryoflowError(
            "--from, --to, --force and --replace are about steps of a chain; give a chain, or drop them"
        )
    own, hydra = take_hydra_words(overrides)
    check_hydra_words(hydra, options.multirun, options.launcher)
    if options.multirun:
        read_preset(options.launcher)
    here = options.multirun and options.launcher == "local" and not hydra.words
    sources = _sources(paths, options)
    if options.continued and not paths:
        own = [*_switched_off(sources[0], own, options), *own]
    plans = make_plans(sources, own, options.multirun, hydra, composed=not here)
    return _with_free_aliases(plans, overrides, options.project)


def _with_free_aliases(plans: Sequence[Plan], overrides: Sequence[str], project: Path) -> list[Plan]:
    """Give a free alias to jobs that are to have a new number (``number=-``) where theirs is in use."""
    if "number=-" not in ("".join(override.lower().split()) for override in overrides):
        return list(plans)
    return [plan._replace(spec=_with_free_alias(plan.spec, project)) for plan in plans]


def _with_free_alias(spec: JobSpec, project: Path) -> JobSpec:
    folder = project / spec.job
    if not spec.alias or not (folder / spec.alias).exists():
        return spec
    names = (f"{spec.alias}_{number}" for number in count(2))
    alias = next(name for name in names if not (folder / name).exists())
    say(f"{spec.job}/{spec.alias} is in use, so the new job is called {spec.job}/{alias}")
    return spec.model_copy(update={"alias": alias})


def _switched_off(source: Source, overrides: Sequence[str], options: RunOptions) -> list[str]:
    """Return overrides that drop recorded criteria of a selection, where others are asked for now."""
    from cryoflow.launch.criteria import replaced_criteria
    from cryoflow.spec.load import spec_from

    replaced = replaced_criteria(spec_from(source.document, source.name, []), overrides)
    if replaced.texts:
        say(f"{options.continued}: replaces the recorded {', '.join(replaced.texts)}; add it to keep it")
    return replaced.overrides


def _run_plans(plans: Sequence[Plan], continued: Sequence[str], options: RunOptions) -> int:
    from cryoflow.launch.job.run import run_job

    outcomes: list[Outcome] = []
    for done, (plan, directory) in enumerate(zip(plans, continued, strict=True), start=1):
        if options.multirun:
            from cryoflow.launch.sweep.run import run_sweep

            outcomes += run_sweep(plan, options)
        else:
            outcomes.append(run_job(plan.spec, Request(str(options.project), options.command, directory)))
            if outcomes[-1].directory:
                say(f"{outcomes[-1].directory}/")
        if any(outcome.stops_others for outcome in outcomes):
            report_skipped([plan.spec.job for plan in plans[done:]])
            break
    return worst_code(outcomes)


def _sources(paths: Sequence[str], options: RunOptions) -> Sequence[Source]:
    from cryoflow.launch.plan import read_sources, source_of
    from cryoflow.project.directory import find_job_directory
    from cryoflow.project.record import RECORD, read_record

    if not options.continued:
        return read_sources(paths)
    if options.multirun:
        raise CryoflowError("--continue and --multirun: one directory cannot hold several jobs; choose one")
    if len(paths) > 1:
        raise CryoflowError(f"--continue {options.continued}: give one spec, or none to use the recorded one")
    directory = find_job_directory(options.project, options.continued)
    if paths:
        return read_sources(paths)
    return [source_of(read_record(directory)["spec"], str(directory / RECORD))]


def _resumed(spec: JobSpec, options: RunOptions, quiet: bool = False) -> str:
    """Return the directory to run in again: the requested one, or that of the same job if unfinished."""
    from cryoflow.launch.previous_runs import unfinished

    if options.continued or options.multirun:
        return options.continued
    name = unfinished(options.project, spec)
    if name and not quiet:
        say(f"{name}: started with the same spec and not finished; resuming")
    return name


def _check_free(specs: Sequence[JobSpec], project: Path) -> None:
    """Refuse numbers and aliases that are taken, by jobs that exist or by each other."""
    from cryoflow.project.directory import check_free
    from cryoflow.project.names import job_name

    problems, seen = ErrorCollector(), set[int]()
    for spec in specs:
        with problems:
            check_free(project, spec.job, spec.number, spec.alias)
        if spec.number is not None:
            if spec.number in seen:
                problems.add(
                    [f"{spec.job}/{job_name(spec.number)}: two specs have this number; change one of them"]
                )
            seen.add(spec.number)
    problems.raise_if_any()
