"""The jobs of a project: type, state, and which jobs feed which."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from cryoflow.errors import CryoflowError
from cryoflow.project.directory import aliases_in
from cryoflow.project.lock import is_running
from cryoflow.project.markers import ABORTED, FAILURE, SUCCESS
from cryoflow.project.names import TRASH, is_job_name, job_directories, job_number, name_of
from cryoflow.project.pipeline import PIPELINE
from cryoflow.project.pipeline_model import input_edges, process_states, read_pipeline
from cryoflow.project.record import RECORD
from cryoflow.project.record_cache import read_cached
from cryoflow.project.verify import changed_files

#: Characters before a job in the tree.
_WIDEST = 40

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
        ``aborted``, ``running``, ``stopped`` (killed before its end), ``scheduled`` (in RELION), ``unknown``
        (of RELION, without marker or pipeline entry) or ``unreadable`` (its record is damaged).
    record : dict
        The record; empty for jobs of RELION.
    feeders : tuple of str
        Names of the jobs whose files it uses, in the order of their numbers.
    problem : str
        Why its record cannot be read, if so.
    """

    name: str
    alias: str | None
    state: str
    record: dict[str, Any]
    feeders: tuple[str, ...]
    problem: str = ""


def list_jobs(project: Path) -> list[Job]:
    """Return all jobs of a project in the order of their numbers; one with a bad record is one of them."""
    edges, states = _read_pipeline(project)
    aliases = _Aliases(project)
    found = [
        _read_job(project, folder, edges, aliases, states.get(name_of(folder), "unknown"))
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


class _Aliases:
    """Aliases and what they mean, each folder listed once."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self._jobs: dict[str, dict[str, str]] = {}
        self._aliases: dict[str, dict[str, str]] = {}

    def job_of(self, folder: str, name: str) -> str:
        """Return the directory that a name in a folder means, which is the name unless it is an alias."""
        return self._in(folder).get(name, name)

    def alias_of(self, directory: Path) -> str | None:
        """Return the first alias of a job directory."""
        folder = directory.parent.name
        if folder not in self._aliases:
            ordered = sorted(self._in(folder).items(), reverse=True)
            self._aliases[folder] = {job: alias for alias, job in ordered}
        return self._aliases[folder].get(directory.name)

    def _in(self, folder: str) -> dict[str, str]:
        if folder not in self._jobs:
            self._jobs[folder] = aliases_in(self._project / folder)
        return self._jobs[folder]


def _read_job(
    project: Path, directory: Path, edges: dict[str, set[str]], aliases: _Aliases, otherwise: str
) -> Job:
    name, record, problem = name_of(directory), dict[str, Any](), ""
    if os.path.lexists(directory / RECORD):
        try:
            record = read_cached(project, directory)
        except CryoflowError as error:
            problem = str(error)
    files = {"/".join(Path(file).parts[:2]) for file in _files_taken(record) if file.count("/") > 1}
    files |= edges.get(name, set())
    fed = {f"{folder}/{aliases.job_of(folder, job)}" for folder, _, job in (f.partition("/") for f in files)}
    feeders = {job for job in fed if is_job_name(job.partition("/")[2])} - {name}
    state = "unreadable" if problem else _state(directory, record, otherwise)
    return Job(
        name, aliases.alias_of(directory), state, record, tuple(sorted(feeders, key=job_number)), problem
    )


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

    # a chain may be deeper than Python's calls
    rest = [(job, "", "", "") for job in reversed(below.get(None, []))]
    while rest:
        job, indent, branch, deeper = rest.pop()
        yield _shortened(indent) + branch, job
        children = below.get(job.name, [])
        for place, child in reversed(list(enumerate(children, start=1))):
            last = place == len(children)
            rest.append((child, indent + deeper, "└ " if last else "├ ", "  " if last else "│ "))


def _shortened(indent: str) -> str:
    return indent if len(indent) <= _WIDEST else f"…{indent[-_WIDEST + 1 :]}"


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
    taken = record.get("spec", {}).get("io")
    if isinstance(taken, dict):
        yield from (value for value in taken.values() if isinstance(value, str))


def _read_pipeline(project: Path) -> tuple[dict[str, set[str]], dict[str, str]]:
    """Return the folders (``Type/jobNNN``, or an alias) that feed each job, and states, by RELION."""
    feeders: dict[str, set[str]] = {}
    states: dict[str, str] = {}
    with suppress(CryoflowError, OSError):
        pipeline = read_pipeline(project / PIPELINE)
        for node, job in input_edges(pipeline):
            if node.count("/") > 1:
                feeders.setdefault(job, set()).add("/".join(Path(node).parts[:2]))
        states = {job: _PIPELINE_STATES.get(word, "unknown") for job, word in process_states(pipeline)}
    return feeders, states
