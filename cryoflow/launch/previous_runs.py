"""What earlier runs have left: is a job finished, may it be resumed, is it up to date?"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from cryoflow.errors import CryoflowError
from cryoflow.launch.inputs import with_files
from cryoflow.project.diff import flat, same_work, work_key
from cryoflow.project.directory import check_free
from cryoflow.project.lock import is_running
from cryoflow.project.markers import FAILURE, succeeded
from cryoflow.project.names import job_directories, job_name, job_number
from cryoflow.project.record import RECORD, read_record
from cryoflow.project.verify import changed_files
from cryoflow.spec import JobSpec, spec_dump

#: What a point computes (see `work_key`) -> its directory, and the exit code if it has succeeded.
Known: TypeAlias = dict[str, tuple[str, int | None]]

_CODES = {"succeeded": 0, "partial": 2}


class Verdict(NamedTuple):
    """What to do with a step.

    Attributes
    ----------
    action : str
        ``skip``: up to date; ``run``: for the first time; ``continue``: resume, since it was started and has
        not succeeded; ``again``: replace its directory.
    why : str
        The reason, in a few words.
    """

    action: Literal["skip", "run", "continue", "again"]
    why: str


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
    wanted, had = spec_dump(spec), record["spec"]
    fields = same_work(had, wanted)
    if fields:
        then, now = flat(had).get(fields[0]), flat(wanted).get(fields[0])
        more = f" and {len(fields) - 1} more" if len(fields) > 1 else ""
        return Verdict("again", f"{fields[0].rpartition('.')[2]} is {now}, was {then}{more}")
    changed = changed_files(project, record, ("input",))
    if changed:
        what = "is gone" if changed[0].what == "is gone" else "has changed"
        return Verdict("again", f"{changed[0].path} {what}")
    if not succeeded(path) or record["status"] not in {"succeeded", "partial"}:
        killed = record["status"] == "running"
        return Verdict("continue", "started, not finished" if killed else "did not succeed")
    outputs = changed_files(project, record, ("output",))
    gone = [change for change in outputs if change.what == "is gone"]
    if gone:
        return Verdict("again", f"{gone[0].path} is gone")
    by_hand = f"; {outputs[0].path} was changed since and is kept" if outputs else ""
    partial = ", some items failed" if record["status"] == "partial" else ""
    return Verdict("skip", f"up to date{partial}{by_hand}")


def other_place(spec: JobSpec) -> str:
    """Return the advice to a user whose step finds its directory occupied."""
    other = "another alias" if spec.number is None else f"the next free number ({spec.number}:number=-)"
    return f"give the step {other} or move the directory away"


def unfinished(project: Path, spec: JobSpec) -> str:
    """Return the directory of a job that was started with this spec and has not succeeded, or nothing.

    With a number it is the job of that number. Without one it is the latest that was killed: a job that has
    failed has reported why, and the next attempt gets a number of its own.
    """
    if spec.number is not None:
        return _same(project, project / spec.job / job_name(spec.number), spec)
    folders = sorted(job_directories(project, spec.job), key=lambda path: job_number(path.name), reverse=True)
    names = (_same(project, folder, spec, killed=True) for folder in folders if not is_running(folder))
    return next((name for name in names if name), "")


def _same(project: Path, directory: Path, spec: JobSpec, killed: bool = False) -> str:
    record: dict[str, Any] = {}
    ended = succeeded(directory) or (killed and (directory / FAILURE).exists())
    if (directory / RECORD).exists() and not ended:
        with suppress(CryoflowError):
            record = read_record(directory)
    if not record or (killed and record.get("status") != "running"):
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
