"""Run one job: make its directory, run it, leave logs, record and exit marker."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path

from cryoflow.errors import CryoflowError, ErrorCollector
from cryoflow.jobs.registry import JOB_TYPES, runner
from cryoflow.launch.inputs import input_files, with_files
from cryoflow.launch.job.device import resolve_device, torch_threads
from cryoflow.launch.job.record import Record, first_record, full_record
from cryoflow.launch.job.rollback import DirectorySnapshot, snapshot_if_settings_differ
from cryoflow.launch.job.signals import Terminated, stoppable
from cryoflow.launch.outcome import Outcome, Request
from cryoflow.project.context import Failure, JobContext, JobResult, SweepCache
from cryoflow.project.directory import (
    alias_of,
    check_writable,
    find_job_directory,
    link_alias,
    make_job_directory,
)
from cryoflow.project.lock import holding
from cryoflow.project.markers import add_note, clear_markers, mark
from cryoflow.project.names import name_of
from cryoflow.project.paths import resolve_in_project
from cryoflow.project.pipeline import JobEntry, register_job
from cryoflow.project.pipeline_nodes import Node, guess_node
from cryoflow.project.record import write_record
from cryoflow.project.relion_job import write_output_nodes, write_run_job
from cryoflow.project.report import JobReporter
from cryoflow.screen import print_error
from cryoflow.spec import JobSpec, spec_dump
from cryoflow.spec.gpu import wanted_device
from cryoflow.spec.relion import relion_job_options

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
        with stoppable(), ExitStack() as held:
            directory = _directory(project, spec, request, device, held)
            return _run_in(directory, spec, request, device, inputs, cache)
    except CryoflowError as error:
        if not request.quiet:
            print_error(str(error))
        return Outcome("", 2, str(error))


def _run_in(
    directory: Path,
    spec: JobSpec,
    request: Request,
    device: str,
    inputs: tuple[str, ...],
    cache: SweepCache | None,
) -> Outcome:
    project = Path(request.project)
    prefix = f"{name_of(directory)}: " if request.concurrent else ""
    with JobReporter(directory, prefix, not request.concurrent, request.quiet) as report:
        context = JobContext(project, directory, device, report, bool(request.continued), cache)
        return _Job(spec, request, context, report).run(inputs)


class _Job:
    """A job with a directory; its steps share what has been found so far."""

    def __init__(self, spec: JobSpec, request: Request, context: JobContext, report: JobReporter) -> None:
        self.spec, self.request, self.context, self.report = spec, request, context, report
        self.name, self.process = context.relative(context.directory), JOB_TYPES[spec.job].process
        self.result = JobResult((), (), {})
        self.threads = 0
        self.started = datetime.now().astimezone()
        self.seconds: dict[str, float] = {}
        self.before: DirectorySnapshot | None = None

    def run(self, inputs: tuple[str, ...]) -> Outcome:
        """Run, and whatever happens leave logs, record and marker."""
        try:
            self._begin(inputs)
            self._compute()
            self._draw()
            self._end(inputs)
        except CryoflowError as error:
            return self._restore(str(error)) or self._failed(str(error))
        except KeyboardInterrupt as stop:
            why = "told to stop (SIGTERM)" if isinstance(stop, Terminated) else "interrupted"
            outcome = self._failed(why)
            if self.request.concurrent:
                return outcome
            raise
        except Exception as error:
            self.report.trace(traceback.format_exc())
            why = f"{_cause(error)}; the traceback is in {self.name}/run.err"
            return self._restore(why) or self._failed(why)
        code = 2 if self.result.failures else 0
        return Outcome(self.name, code, self.result.summary, self.result.outputs)

    def _begin(self, inputs: tuple[str, ...]) -> None:
        directory = self.context.directory
        if self.context.continuing:
            self.before = snapshot_if_settings_differ(directory, spec_dump(self.spec))
        clear_markers(directory)
        if self.context.continuing:
            write_record(directory, self._first_record(inputs))
        add_note(directory, self.request.command, self.started)
        write_run_job(directory, self.process.number, relion_job_options(self.spec), self.context.continuing)
        self._register("Running", inputs)

    def _compute(self) -> None:
        with torch_threads(self.spec.compute.threads) as self.threads:
            start = time.monotonic()
            self.result = runner(self.spec.job)(self.spec, self.context)
            self.seconds["job"] = time.monotonic() - start

    def _draw(self) -> None:
        """Draw the report; one that fails never fails a job."""
        from cryoflow.jobs.registry import draw_pictures

        if not self.request.pictures:
            return
        start = time.monotonic()
        try:
            draw_pictures(self.spec.job, self.context.directory, self.context.project)
        except Exception as error:
            self.report.trace(traceback.format_exc())
            self.report.warn(f"no report: {type(error).__name__}: {' '.join(str(error).split())}")
        self.seconds["report"] = time.monotonic() - start

    def _end(self, inputs: tuple[str, ...]) -> None:
        result = self.result
        for name in result.outputs:
            self.context.resolve(name)  # an output that is not there is a failed job, whatever it says
        self._write_record("partial" if result.failures else "succeeded")
        write_output_nodes(self.context.directory, (Node(*node) for node in result.nodes))
        self._register("Succeeded", inputs)
        self._report_failures(result.failures)
        where = "" if self.request.concurrent else f"{self.spec.job} in {self.name}: "
        self.report.say(f"{where}{result.summary}; {self.seconds['job']:.1f} s")
        mark(self.context.directory, success=True)

    def _report_failures(self, failures: tuple[Failure, ...]) -> None:
        for failure in failures[:_SHOWN]:
            self.report.warn(f"left out {failure.item}: {failure.message}")
        if len(failures) > _SHOWN:
            self.report.warn(f"left out {len(failures) - _SHOWN} more; job_record.yaml has them all")

    def _restore(self, message: str) -> Outcome | None:
        """Undo the start of a job that was continued with settings it cannot begin with.

        The next one would otherwise take these up from the record. Who stops a job has no quarrel with them.
        """
        if self.before is None or not self.before.unchanged():
            return None
        self.report.error(f"{self.name}: not continued, and left as it was: {message}")
        self._register("Succeeded" if self.before.had_succeeded else "Failed", ())
        self.before.restore()
        return Outcome(self.name, 1, message)

    def _failed(self, message: str) -> Outcome:
        self.report.error(f"{self.name}: failed: {message}")
        try:
            self._write_record("failed", message)
            self._register("Failed", ())
        except (OSError, CryoflowError) as error:
            self.report.error(f"{self.name}: no record: {error}")
        with suppress(OSError):
            mark(self.context.directory, success=False)
        return Outcome(self.name, 1, message)

    def _register(self, state: str, inputs: tuple[str, ...]) -> None:
        nodes = tuple(guess_node(name) for name in inputs)
        outputs = tuple(Node(*node) for node in self.result.nodes)
        entry = JobEntry(self.process, self.name, alias_of(self.context.directory), state, nodes, outputs)
        try:
            register_job(self.context.project, entry)
        except CryoflowError as error:
            self.report.warn(str(error))

    def _write_record(self, status: str, error: str | None = None) -> None:
        done = self._first_record(()) | {"error": error, "status": status, "threads": self.threads}
        write_record(self.context.directory, full_record(done, self.context, self.result, self.seconds))

    def _first_record(self, inputs: Iterable[str]) -> Record:
        context, request = self.context, self.request
        return first_record(
            context.project, self.spec, request.command, context.device, inputs, self.started, request.sweep
        )


def _directory(project: Path, spec: JobSpec, request: Request, device: str, held: ExitStack) -> Path:
    """Make or find the job's directory, and keep others out of it until ``held`` is closed."""
    if not request.continued:

        def fill(new: Path) -> None:
            held.enter_context(holding(new))
            inputs = input_files(spec)
            first = first_record(project, spec, request.command, device, inputs, sweep=request.sweep)
            write_record(new, first)

        return make_job_directory(project, spec.job, spec.number, spec.alias, fill)
    directory = find_job_directory(project, request.continued)
    if directory.parent.name != spec.job:
        raise CryoflowError(f"{name_of(directory)}: cannot be continued by a job of type {spec.job}")
    held.enter_context(holding(directory))
    if spec.alias and not (directory.parent / spec.alias).exists():
        link_alias(directory, spec.alias)  # a run that was killed between the two
    return directory


def _cause(error: Exception) -> str:
    """What to tell about an error that nobody foresaw."""
    what = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, MemoryError) or re.search("allocate|out of memory|bad_alloc", str(error), re.I):
        return f"too little memory for these settings; coarser ones, or fewer workers, need less ({what})"
    return f"stopped by {what}"


def _check_inputs(project: Path, names: Iterable[str]) -> None:
    problems = ErrorCollector()
    for name in names:
        with problems:
            resolve_in_project(project, name)
    problems.raise_if_any()
