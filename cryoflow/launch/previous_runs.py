"""Does a step have to run, and why?"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from cryoflow.errors import CryoflowError
from cryoflow.project.diff import flat, same_work
from cryoflow.project.directory import check_free
from cryoflow.project.lock import is_running
from cryoflow.project.markers import succeeded
from cryoflow.project.record import RECORD, read_record
from cryoflow.project.verify import changed_files
from cryoflow.spec import JobSpec, spec_dump


class Verdict(NamedTuple):
    """What to do with a step.

    Attributes
    ----------
    action : str
        ``skip``: up to date; ``run``: for the first time; ``continue``: it was begun and has not ended well;
        ``again``: its directory makes place for a new one.
    why : str
        In a few words.
    """

    action: Literal["skip", "run", "continue", "again"]
    why: str


def step_status(project: Path, spec: JobSpec, directory: str) -> Verdict:
    """Say whether a step must run.

    Parameters
    ----------
    project : Path
        Absolute project root.
    spec : JobSpec
        With its inputs below directories with numbers.
    directory : str
        Where it has run or will, project-relative; empty for the next free number.

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
        raise CryoflowError(f"{directory}: another process is running this job; wait for it to end")
    if not (path / RECORD).exists():
        raise CryoflowError(
            f"{directory}: there, but not made by cryoflow; give the step another number or move it away"
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
        begun = record["status"] == "running"
        return Verdict("continue", "begun, not ended" if begun else "has not ended well")
    outputs = changed_files(project, record, ("output",))
    gone = [change for change in outputs if change.what == "is gone"]
    if gone:
        return Verdict("again", f"{gone[0].path} is gone")
    by_hand = f"; {outputs[0].path} was changed since, and is kept" if outputs else ""
    partial = ", some items failed" if record["status"] == "partial" else ""
    return Verdict("skip", f"up to date{partial}{by_hand}")
