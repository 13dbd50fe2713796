"""Files of a job besides its outputs: record, note, parameters, pipeline entry and exit marker."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from cryoflow.errors import CryoflowError
from cryoflow.jobs.registry import JOB_TYPES
from cryoflow.launch.job.record import Record, first_record, full_record
from cryoflow.launch.job.rollback import DirectorySnapshot, snapshot_if_settings_differ
from cryoflow.launch.outcome import Outcome, Request
from cryoflow.project.context import JobContext, JobResult
from cryoflow.project.directory import alias_of
from cryoflow.project.markers import add_note, clear_markers, mark
from cryoflow.project.pipeline import JobEntry, register_job
from cryoflow.project.pipeline_nodes import Node, guess_node
from cryoflow.project.record import write_record
from cryoflow.project.relion_job import write_output_nodes, write_run_job
from cryoflow.project.report import JobReporter
from cryoflow.spec import JobSpec, spec_dump
from cryoflow.spec.relion import relion_job_options


class JobFiles:
    """The files of one job, which say at any time how far it has come.

    Attributes
    ----------
    report : JobReporter
        The job's logs, and the screen.
    name : str
        ``AutoPick/job011``.
    result : JobResult
        Empty until the job has computed it.
    threads : int
        Threads that torch used; 0 before.
    seconds : dict
        Time spent, by what it was spent on.
    """

    def __init__(
        self,
        spec: JobSpec,
        request: Request,
        context: JobContext,
        report: JobReporter,
        inputs: tuple[str, ...],
    ) -> None:
        self._spec, self._request, self._context = spec, request, context
        self.report, self._inputs = report, inputs
        self._process = JOB_TYPES[spec.job].process
        context.reads(inputs)
        self._started = datetime.now().astimezone()
        self._before: DirectorySnapshot | None = None
        self.name = context.relative(context.directory)
        self.result = JobResult((), (), {})
        self.threads = 0
        self.seconds: dict[str, float] = {}

    def start(self) -> None:
        """Write what a job that runs has; what a job that is continued had is kept, see `restore`."""
        directory, continuing = self._context.directory, self._context.continuing
        if continuing:
            self._before = snapshot_if_settings_differ(directory, spec_dump(self._spec))
        clear_markers(directory)
        if continuing:
            write_record(directory, self._first_record(self._inputs))
        add_note(directory, self._request.command, self._started)
        write_run_job(directory, self._process.number, relion_job_options(self._spec), continuing)
        self._register("Running", self._inputs)

    def finish(self) -> None:
        """Write the final record; an output that is missing is an error, whatever the job says."""
        for name in self.result.outputs:
            self._context.resolve(name)
        self._warn_changed()
        self._write_record("partial" if self.result.failures else "succeeded")
        write_output_nodes(self._context.directory, (Node(*node) for node in self.result.nodes))
        self._register("Succeeded", self._inputs)

    def restore(self, message: str) -> Outcome | None:
        """Undo the start of a job that was continued with settings it cannot start with.

        Otherwise the next run would read these from the record. A job that was interrupted keeps them.
        """
        if self._before is None or not self._before.unchanged():
            return None
        try:
            self._before.restore()
        except (OSError, CryoflowError):
            return None
        self.report.error(f"{self.name}: not continued, left unchanged: {message}")
        self._register("Succeeded" if self._before.had_succeeded else "Failed", ())
        return Outcome(self.name, 1, message)

    def interrupt(self, message: str) -> Outcome:
        """Report that a job was stopped from outside, how far it had come, and leave it as a failure."""
        reached = f" after {self.report.reached}" if self.report.reached else ""
        hint = "" if self._request.sweep else f"; resume: cryoflow run --continue {self.name}"
        return self._end(f"{message}{reached}{hint}", f"{message}{reached}{hint}")

    def fail(self, message: str, resumable: bool = False) -> Outcome:
        """Report a failure, and write it into record and exit marker as far as that is possible.

        A failure is ``resumable`` if the same job may finish later, as when the disk was full.
        """
        return self._end(message, f"failed: {message}", resumable)

    def _end(self, message: str, shown: str, resumable: bool = False) -> Outcome:
        self.report.error(f"{self.name}: {shown}")
        try:
            self._write_record("failed", message, resumable)
            self._register("Failed", ())
        except (OSError, CryoflowError) as error:
            self.report.error(f"{self.name}: no record: {error}")
        with suppress(OSError):
            mark(self._context.directory, success=False)
        return Outcome(self.name, 1, message)

    def _warn_changed(self) -> None:
        changed = sorted(self._context.inputs.sizes_of_changed(self._context.project))
        if changed:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            self.report.warn(
                f"{changed[0]}{more} changed while the job ran, so its results count as outdated: "
                "run it again"
            )

    def _register(self, state: str, inputs: tuple[str, ...]) -> None:
        nodes = tuple(guess_node(name) for name in inputs)
        outputs = tuple(Node(*node) for node in self.result.nodes)
        alias = alias_of(self._context.directory)
        entry = JobEntry(self._process, self.name, alias, state, nodes, outputs)
        try:
            register_job(self._context.project, entry, copy=not self._request.sweep)
        except CryoflowError as error:
            self.report.warn(str(error))

    def _write_record(self, status: str, error: str | None = None, resumable: bool = False) -> None:
        done = self._first_record(()) | {"error": error, "status": status, "threads": self.threads}
        done |= {"resumable": True} if resumable else {}
        record = full_record(done, self._context, self.result, self.seconds)
        write_record(self._context.directory, record)

    def _first_record(self, inputs: Iterable[str]) -> Record:
        context, request = self._context, self._request
        return first_record(
            context.project, self._spec, request.command, context.device, inputs, self._started, request.sweep
        )
