"""The jobs of a project: type, state, and which jobs feed which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from cryoflow.errors import CryoflowError
from cryoflow.project.directory import alias_of
from cryoflow.project.lock import is_running
from cryoflow.project.markers import ABORTED, FAILURE, SUCCESS
from cryoflow.project.names import TRASH, is_job_name, job_directories, job_number, name_of, without_alias
from cryoflow.project.pipeline import PIPELINE
from cryoflow.project.pipeline_text import Loop, read_words
from cryoflow.project.record import RECORD, read_record
from cryoflow.project.verify import changed_files

_STATE_COLUMNS = ("rlnPipeLineProcessStatusLabel", "rlnPipeLineProcessStatus")
#: RELION 3's numbers and RELION 4's words.
_PIPELINE_STATES = {
    **dict(zip("01234", ("running", "scheduled", "succeeded", "failed", "aborted"), strict=True)),
    **{name.capitalize(): name for name in ("running", "scheduled", "succeeded", "failed", "aborted")},
}
_ENDED = ("succeeded", "partial")
_MARKERS = {SUCCESS: "succeeded", FAILURE: "failed", ABORTED: "aborted"}


class Job(NamedTuple):
    """A job directory, of cryoflow or of RELION.

    Attributes
    ----------
    name : str
        ``AutoPick/job010``.
    alias : str or None
        Its alias, without the type.
    state : str
        ``succeeded``, ``partial``, ``outdated`` (ended, but what it read has changed since), ``failed``,
        ``aborted``, ``running``, ``stopped`` (killed before its end), ``scheduled`` (in RELION) or
        ``unknown`` (of RELION, without marker or pipeline entry).
    record : dict
        The record; empty for jobs of RELION.
    feeders : tuple of str
        Names of the jobs whose files it uses, in the order of their numbers.
    """

    name: str
    alias: str | None
    state: str
    record: dict[str, Any]
    feeders: tuple[str, ...]


def list_jobs(project: Path) -> list[Job]:
    """Return all jobs of a project in the order of their numbers."""
    edges, states = _pipeline_edges(project), _pipeline_states(project)
    found = [
        read_job(project, folder, edges, states.get(name_of(folder), "unknown"))
        for folder in job_directories(project)
        if folder.is_dir() and not folder.is_symlink() and folder.parent.name != TRASH
    ]
    return _with_outdated(project, sorted(found, key=lambda job: (job_number(job.name), job.name)))


def _with_outdated(project: Path, jobs: list[Job]) -> list[Job]:
    """Mark jobs whose inputs differ from their records, and those fed by such jobs."""
    outdated = {
        job.name
        for job in jobs
        if job.record and job.state in _ENDED and _inputs_changed(project, job.record)
    }
    fed: dict[str, list[str]] = {}
    for job in jobs:
        for feeder in job.feeders:
            fed.setdefault(feeder, []).append(job.name)
    rest = list(outdated)
    while rest:
        new = set(fed.get(rest.pop(), ())) - outdated
        outdated |= new
        rest += new
    return [
        job._replace(state="outdated") if job.name in outdated and job.record and job.state in _ENDED else job
        for job in jobs
    ]


def _inputs_changed(project: Path, record: dict[str, Any]) -> bool:
    try:
        return bool(changed_files(project, record, ("input",)))
    except (OSError, KeyError, TypeError):  # a record or a file that cannot be read shows in `verify`
        return True


def read_job(
    project: Path, directory: Path, edges: Iterable[tuple[str, str]] = (), otherwise: str = "unknown"
) -> Job:
    """Read one job directory.

    Parameters
    ----------
    project, directory : Path
        Absolute.
    edges : iterable of (str, str)
        Known pairs of jobs, feeder and fed.
    otherwise : str
        State of a job of RELION that has left no marker.
    """
    name = name_of(directory)
    record: dict[str, Any] = {}
    if (directory / RECORD).exists():
        with suppress(CryoflowError):
            record = read_record(directory)
    fed = {feeder for feeder, job in edges if job == name}
    fed |= {job for file in _files_taken(record) if (job := job_of_file(project, file))}
    feeders = tuple(sorted(fed - {name}, key=job_number))
    return Job(name, alias_of(directory), _state(directory, record, otherwise), record, feeders)


def job_of_file(project: Path, name: str) -> str | None:
    """Return the job whose directory contains a project-relative file; aliases are resolved."""
    parts = Path(name).parts
    if len(parts) < 3:
        return None
    job = f"{parts[0]}/{parts[1]}"
    with suppress(OSError):
        job = without_alias(project, job)
    return job if is_job_name(job.partition("/")[2]) else None


def tree_lines(jobs: Iterable[Job]) -> Iterator[tuple[str, Job]]:
    """Yield every job with the branches to draw before its name.

    A job is listed below the latest of those that feed it, so that a chain reads downwards.
    """
    jobs = list(jobs)
    names = {job.name for job in jobs}
    below: dict[str | None, list[Job]] = {}
    for job in jobs:
        above = [name for name in job.feeders if name in names and job_number(name) < job_number(job.name)]
        below.setdefault(above[-1] if above else None, []).append(job)

    def lines(parent: str | None, indent: str) -> Iterator[tuple[str, Job]]:
        children = below.get(parent, [])
        for place, job in enumerate(children, start=1):
            last = place == len(children)
            branch = "" if parent is None else "└ " if last else "├ "
            yield indent + branch, job
            deeper = "" if parent is None else "  " if last else "│ "
            yield from lines(job.name, indent + deeper)

    yield from lines(None, "")


def _state(directory: Path, record: dict[str, Any], otherwise: str) -> str:
    if is_running(directory):
        return "running"
    ended = next((state for marker, state in _MARKERS.items() if (directory / marker).exists()), None)
    if ended == "succeeded" and record.get("status") == "partial":
        return "partial"
    return ended or ("stopped" if record else otherwise)


def _files_taken(record: dict[str, Any]) -> Iterator[str]:
    for entry in record.get("inputs", ()):
        yield str(entry["path"])
    for value in dict(record.get("spec", {}).get("io") or {}).values():
        if isinstance(value, str):
            yield value


def _pipeline_states(project: Path) -> dict[str, str]:
    """Return the state of every job in RELION's pipeline file, by name without the last slash."""
    try:
        processes = read_words(project / PIPELINE).blocks.get("pipeline_processes")
    except (CryoflowError, OSError):
        return {}
    if not isinstance(processes, Loop) or "rlnPipeLineProcessName" not in processes.columns:
        return {}
    name = processes.columns.index("rlnPipeLineProcessName")
    label = next((n for n in _STATE_COLUMNS if n in processes.columns), None)
    if label is None:
        return {}
    state = processes.columns.index(label)
    return {row[name].rstrip("/"): _PIPELINE_STATES.get(row[state], "unknown") for row in processes.rows}


def _pipeline_edges(project: Path) -> list[tuple[str, str]]:
    """Return feeder and fed job of every edge that RELION's pipeline file knows."""
    try:
        edges = read_words(project / PIPELINE).blocks.get("pipeline_input_edges")
    except (CryoflowError, OSError):
        return []
    if not isinstance(edges, Loop):
        return []
    source, target = (edges.columns.index(f"rlnPipeLineEdge{what}") for what in ("FromNode", "Process"))
    pairs = [(job_of_file(project, row[source]), row[target].rstrip("/")) for row in edges.rows]
    return [(feeder, fed) for feeder, fed in pairs if feeder]
