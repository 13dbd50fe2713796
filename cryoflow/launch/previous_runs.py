"""Results of earlier runs: is a job finished, can it be resumed, is it up to date?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from cryoflow.errors import CryoflowError
from cryoflow.jobs.registry import JOB_TYPES
from cryoflow.launch.inputs import input_files, with_files
from cryoflow.project.diff import flat, same_work, work_key
from cryoflow.project.directory import check_free
from cryoflow.project.lock import is_running
from cryoflow.project.markers import succeeded
from cryoflow.project.names import job_directories, job_name, job_number
from cryoflow.project.record import RECORD, read_record
from cryoflow.project.verify import EMPTIED, GONE, MISSING, Changed, changed_files
from cryoflow.spec import JobSpec, spec_dump

#: What a point computes (see `work_key`) -> its directory, and the exit code if it has succeeded.
Known: TypeAlias = dict[str, tuple[str, int | None]]

_CODES = {"succeeded": 0, "partial": 2}


class Verdict(NamedTuple):
    """Decision about a step.

    Attributes
    ----------
    action : str
        ``skip``: up to date; ``run``: for the first time; ``continue``: resume, since it was started and has
        not succeeded, or complete what it lacked; ``again``: replace its directory.
    why : str
        The reason, in a few words.
    asks : bool
        Whether finished results would be replaced without a request.
    inputs : tuple of str
        The inputs that are different, by file or by name in the spec, where these are all that is.
    partial : bool
        Whether a step that is skipped had items that failed.
    """

    action: Literal["skip", "run", "continue", "again"]
    why: str
    asks: bool = False
    inputs: tuple[str, ...] = ()
    partial: bool = False


def step_status(project: Path, spec: JobSpec, directory: str) -> Verdict:
    """Decide whether a step must run.

    Parameters
    ----------
    project : Path
        Absolute project root.
    spec : JobSpec
        With its inputs in numbered directories.
    directory : str
        Where it has run or will run, project-relative; empty for the next free number.

    Raises
    ------
    CryoflowError
        If another process runs it, another job has its number, or another program has made the directory.
    """
    path = project / directory
    if not directory or not path.exists():
        check_free(project, spec.job, spec.number, None)
        return Verdict("run", "not run yet")
    if is_running(path):
        raise CryoflowError(f"{directory}: another process is running this job; wait until it has finished")
    if not (path / RECORD).exists():
        raise CryoflowError(
            f"{directory}: was not made by cryoflow, so it is not replaced; {other_place(spec)}"
        )
    record = read_record(path)
    ended = succeeded(path) and record["status"] in _CODES
    if fields := same_work(record["spec"], spec_dump(spec)):
        why = _changed_settings(fields, record["spec"], spec_dump(spec))
        return Verdict("again", why, ended, _as_inputs(spec, fields))
    changed = changed_files(project, record, ("input",))
    if not ended:
        killed = record["status"] == "running"
        why = "started, not finished" if killed else "did not succeed"
        return Verdict("again", _what(changed)) if changed else Verdict("continue", why)
    outputs = changed_files(project, record, ("output",))
    if changed:
        return _of_changed_inputs(spec, record, changed, outputs)
    if outputs:
        return _of_changed_outputs(outputs)
    partial = record["status"] == "partial"
    return Verdict("skip", f"up to date{', some items failed' if partial else ''}", partial=partial)


def _as_inputs(spec: JobSpec, fields: Sequence[str]) -> tuple[str, ...]:
    """Return what fields name if all name inputs, as where a job's file does not exist for now."""
    inputs, named = input_files(spec), flat(spec_dump(spec))
    values = tuple(str(named.get(field)) for field in fields)
    return values if set(values) <= set(inputs) else ()


def _changed_settings(fields: Sequence[str], had: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Return in words in which settings two specs differ."""
    then, now = flat(had).get(fields[0]), flat(wanted).get(fields[0])
    more = f" and {len(fields) - 1} more" if len(fields) > 1 else ""
    return f"{fields[0].rpartition('.')[2]} is {now}, was {then}{more}"


def _of_changed_inputs(
    spec: JobSpec, record: Mapping[str, Any], changed: Sequence[Changed], outputs: Sequence[Changed]
) -> Verdict:
    """Complete a job if only what it lacked has changed; otherwise replace it.

    Results of an incomplete job are replaced unasked where a job type cannot add to them.
    """
    lacked = all(change.what == MISSING or _has_failed(record, change.path) for change in changed)
    if lacked and not outputs and JOB_TYPES[spec.job].completes:
        return Verdict("continue", f"{changed[0].path} is there now or has changed since it failed")
    partial = record["status"] == "partial"
    mended = lacked and partial and not outputs
    inputs = () if outputs else tuple(change.path for change in changed)
    return Verdict("again", _what(changed), not mended, inputs)


def _of_changed_outputs(outputs: Sequence[Changed]) -> Verdict:
    """Make lost or emptied outputs again; results that were changed by hand are replaced only if asked."""
    lost = [change for change in outputs if change.what in (GONE, EMPTIED)]
    if len(lost) == len(outputs):
        return Verdict("again", f"{lost[0].path} {lost[0].what}")
    by_hand = next(change for change in outputs if change not in lost)
    return Verdict("again", f"{by_hand.path} is not what the job has written", asks=True)


def _has_failed(record: Mapping[str, Any], path: str) -> bool:
    return any(path in f"{failure['item']} {failure['message']}" for failure in record["failures"])


def _what(changed: Sequence[Changed]) -> str:
    what = "is gone" if changed[0].what == GONE else "has changed"
    return f"{changed[0].path} {what}"


def other_place(spec: JobSpec) -> str:
    """Return the advice to a user whose step finds its directory occupied."""
    other = "another alias" if spec.number is None else f"the next free number ({spec.number}:number=-)"
    return f"give the step {other} or move the directory away"


def unfinished(project: Path, spec: JobSpec) -> str:
    """Return the directory of a job that was started with this spec and has not succeeded, or nothing.

    With a number it is the job of that number. Without one it is the latest that was killed, or that the
    machine made fail: of another failure the next attempt gets a number of its own.
    """
    if spec.number is not None:
        return _same(project, project / spec.job / job_name(spec.number), spec)
    folders = sorted(job_directories(project, spec.job), key=lambda path: job_number(path.name), reverse=True)
    names = (_same(project, folder, spec, killed=True) for folder in folders if not is_running(folder))
    return next((name for name in names if name), "")


def _same(project: Path, directory: Path, spec: JobSpec, killed: bool = False) -> str:
    record: dict[str, Any] = {}
    if (directory / RECORD).exists() and not succeeded(directory):
        with suppress(CryoflowError):
            record = read_record(directory)
    stopped = record.get("status") == "running" or record.get("resumable")
    if not record or (killed and not stopped):
        return ""
    if same_work(record["spec"], spec_dump(with_files(project, spec))):
        return ""
    return f"{spec.job}/{directory.name}"


def points_before(project: Path, job: str, sweep: str) -> Known:
    """Return the points of a sweep that have succeeded or were killed.

    Those that failed run again, and so do those whose inputs have changed.

    Raises
    ------
    CryoflowError
        If a process is still running one of them: the sweep was killed, its workers were not.
    """
    known: Known = {}
    for directory in sorted((project / job).glob("job[0-9][0-9][0-9]*")):
        status, key = _point(directory, sweep)
        name = f"{job}/{directory.name}"
        if status and is_running(directory):
            raise CryoflowError(
                f"{name}: a worker of the killed {sweep} is still running this; wait until it has finished"
            )
        if status in _CODES and succeeded(directory):
            if changed_files(project, read_record(directory), ("input",)):
                continue
            known[key] = (name, _CODES[status])
        elif status in {"running", *_CODES}:
            known.setdefault(key, (name, None))
    return known


def _point(directory: Path, sweep: str) -> tuple[str, str]:
    """Return status and key of a point of the sweep; nothing for any other job."""
    with suppress(OSError, CryoflowError):
        if f"sweep: {sweep}\n".encode() in (directory / RECORD).read_bytes():
            record = read_record(directory)
            return str(record.get("status")), work_key(record["spec"])
    return "", ""
