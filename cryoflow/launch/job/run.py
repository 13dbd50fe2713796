"""Run one job: make its directory, run it, leave logs, record and exit marker."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable
from pathlib import Path

from cryoflow.errors import CryoflowError, ErrorCollector
from cryoflow.jobs.registry import runner
from cryoflow.launch.inputs import input_files, with_files
from cryoflow.launch.job.device import resolve_device, torch_threads
from cryoflow.launch.job.directory import open_directory
from cryoflow.launch.job.failure import cause, interruption, is_of_machine
from cryoflow.launch.job.files import JobFiles
from cryoflow.launch.job.signals import stoppable
from cryoflow.launch.outcome import Outcome, Request
from cryoflow.project.context import Failure, JobContext, JobResult, SweepCache
from cryoflow.project.directory import check_writable
from cryoflow.project.markers import mark
from cryoflow.project.names import name_of
from cryoflow.project.paths import resolve_in_project
from cryoflow.project.report import JobReporter
from cryoflow.screen import print_error
from cryoflow.spec import JobSpec
from cryoflow.spec.gpu import wanted_device

#: Failures shown on the screen; the record has them all.
_SHOWN = 5


def run_job(spec: JobSpec, request: Request, cache: SweepCache | None = None) -> Outcome:
    """Run one job and return how it ended; only an interruption is raised.

    A point of a sweep is given the ``cache`` that it shares with the other points.
    """
    project = Path(request.project)
    try:
        check_writable(project, spec.job)
        spec = with_files(project, spec)
        inputs = input_files(spec)
        _check_inputs(project, inputs)
        device = resolve_device(wanted_device(spec))
        with (
            stoppable(),
            open_directory(spec, request, device) as directory,
            _reporter(directory, request) as report,
        ):
            context = JobContext(project, directory, device, report, bool(request.continued), cache)
            return _attempt(spec, request, context, JobFiles(spec, request, context, report, inputs))
    except CryoflowError as error:
        if not request.quiet:
            print_error(str(error))
        return Outcome("", 2, str(error))


def _attempt(spec: JobSpec, request: Request, context: JobContext, files: JobFiles) -> Outcome:
    """Run the job, and whatever happens leave logs, record and marker."""
    try:
        files.start()
        _compute(spec, context, files)
        if request.pictures:
            _draw(spec, context, files)
        files.finish()
        _report_result(spec, request, files)
        if request.pictures:
            _write_page(context, files)
        mark(context.directory, success=True)
    except CryoflowError as error:
        return files.restore(str(error)) or _fail(str(error), request, context, files, is_of_machine(error))
    except KeyboardInterrupt as stop:
        outcome = files.interrupt(interruption(stop))
        if request.concurrent:
            return outcome
        raise
    except Exception as error:
        files.report.trace(traceback.format_exc())
        why = f"{cause(error)}; the traceback is in {files.name}/run.err"
        return files.restore(why) or _fail(why, request, context, files, is_of_machine(error))
    result = files.result
    return Outcome(files.name, _code(files.result, request), result.summary, result.outputs)


def _code(result: JobResult, request: Request) -> int:
    """Return the exit code; that nothing is left is no news of one point of a sweep."""
    if result.failures:
        return 2
    return 3 if result.is_empty and not request.sweep else 0


def _compute(spec: JobSpec, context: JobContext, files: JobFiles) -> None:
    with torch_threads(spec.compute.threads) as files.threads:
        start = time.monotonic()
        files.result = runner(spec.job)(spec, context)
        files.seconds["job"] = time.monotonic() - start


def _draw(spec: JobSpec, context: JobContext, files: JobFiles) -> None:
    """Draw the pictures; a failure there never fails a job."""
    from cryoflow.jobs.registry import draw_pictures

    start = time.monotonic()
    try:
        draw_pictures(spec.job, context.directory, context.project)
    except Exception as error:
        files.report.trace(traceback.format_exc())
        files.report.warn(f"no pictures: {type(error).__name__}: {' '.join(str(error).split())}")
    files.seconds["report"] = time.monotonic() - start


def _fail(message: str, request: Request, context: JobContext, files: JobFiles, of_machine: bool) -> Outcome:
    outcome = files.fail(message, of_machine)
    if request.pictures and not of_machine:
        _write_page(context, files)
    return outcome


def _write_page(context: JobContext, files: JobFiles) -> None:
    """Write ``report.html``; a failure there never fails a job."""
    from cryoflow.view.report import write_report

    try:
        write_report(context.directory)
    except Exception as error:
        files.report.trace(traceback.format_exc())
        files.report.warn(f"no report.html: {type(error).__name__}: {' '.join(str(error).split())}")


def _report_result(spec: JobSpec, request: Request, files: JobFiles) -> None:
    _report_failures(files.report, files.result.failures)
    if files.result.is_empty and not request.sweep:
        files.report.warn(
            f"{files.name} keeps nothing: {files.result.summary}; jobs that use it have no input"
        )
    where = "" if request.concurrent else f"{spec.job} in {files.name}: "
    files.report.say(f"{where}{files.result.summary}; {files.seconds['job']:.1f} s")


def _report_failures(report: JobReporter, failures: tuple[Failure, ...]) -> None:
    for failure in failures[:_SHOWN]:
        report.warn(f"skipped {failure.item}: {failure.message}")
    if len(failures) > _SHOWN:
        report.warn(f"skipped {len(failures) - _SHOWN} more; job_record.yaml lists all")


def _reporter(directory: Path, request: Request) -> JobReporter:
    prefix = f"{name_of(directory)}: " if request.concurrent else ""
    return JobReporter(directory, prefix, not request.concurrent, request.quiet)


def _check_inputs(project: Path, names: Iterable[str]) -> None:
    problems = ErrorCollector()
    for name in names:
        with problems:
            resolve_in_project(project, name)
    problems.raise_if_any()
