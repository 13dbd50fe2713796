"""Arguments and result of a job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import NamedTuple, TypeVar

from cryoflow.project.input_log import InputLog
from cryoflow.project.paths import relative_to_project, resolve_in_project

T = TypeVar("T")


class Reporter:
    """Interface for a job's reports to the user; this one is silent, for tests and workers."""

    def say(self, line: str) -> None:
        """Report one line of information."""

    def warn(self, line: str) -> None:
        """Report one warning."""

    def progress(self, iterable: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Yield the items of ``iterable`` while showing the progress.

        Parameters
        ----------
        iterable : iterable
            The items to process.
        label : str
            Name of the items, e.g. ``micrographs``.
        total : int, optional
            Number of items; taken from ``len(iterable)`` where that exists.
        """
        del label, total
        yield from iterable


class SweepCache:
    """Data that the points of a sweep in one process share in memory.

    The runner of the sweep makes one, passes it to every point and drops it with the sweep. A job type stores
    its shared data in an object of its own class.
    """

    def __init__(self) -> None:
        self._parts: dict[type, object] = {}

    def part(self, kind: type[T]) -> T:
        """Return the object of class ``kind``, made without arguments when first requested."""
        part = self._parts.setdefault(kind, kind())
        assert isinstance(part, kind)
        return part


@dataclass(frozen=True)
class JobContext:
    """Directory, device and reporter of a running job.

    Attributes
    ----------
    project : Path
        Absolute root of the project; names inside STAR files are relative to it.
    directory : Path
        Absolute job directory, e.g. ``<project>/AutoPick/job010``.
    device : str
        Resolved torch device, ``cpu`` or ``cuda:0``.
    report : Reporter
        Progress and messages.
    continuing : bool
        True for ``--continue`` into a directory that has earlier output.
    cache : SweepCache, optional
        What this point of a sweep shares with others; None for a job of its own.
    inputs : InputLog
        What the job depends on, see `reads`.
    """

    project: Path
    directory: Path
    device: str = "cpu"
    report: Reporter = field(default_factory=Reporter)
    continuing: bool = False
    cache: SweepCache | None = None
    inputs: InputLog = field(default_factory=InputLog)

    def reads(self, names: Iterable[str]) -> None:
        """Note files by project-relative name before they are read, or looked for and not found.

        They become the inputs of the job's record: the result is up to date as long as they are the same.
        """
        self.inputs.note(self.project, names)

    def relative(self, path: str | PathLike[str]) -> str:
        """Return ``path`` relative to the project root, in POSIX form."""
        return relative_to_project(self.project, path)

    def resolve(self, name: str | PathLike[str]) -> Path:
        """Return the absolute path of a project-relative name; FileError if it does not exist."""
        return resolve_in_project(self.project, name)


class Failure(NamedTuple):
    """One micrograph or particle that could not be processed.

    Attributes
    ----------
    item : str
        Its name.
    message : str
        Why not, in one line.
    """

    item: str
    message: str


class JobResult(NamedTuple):
    """Result of a job: files read and written, counts, and skipped items.

    Attributes
    ----------
    inputs, outputs : tuple of str
        Project-relative POSIX paths.
    counts : dict
        Numbers for the record, e.g. ``{"micrographs": 8, "particles": 539}``.
    failures : tuple of Failure
        Skipped items; any makes the job partial (exit code 2).
    summary : str
        One line for the user, e.g. ``539 particles on 8 micrographs``.
    nodes : tuple of (str, str)
        Project-relative path and RELION node label of what later jobs use,
        e.g. ``("Extract/job012/particles.star", "ParticleGroupMetadata.star.relion")``.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    counts: dict[str, int | float]
    failures: tuple[Failure, ...] = ()
    summary: str = ""
    nodes: tuple[tuple[str, str], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether no particles are left, or of a job about micrographs no micrographs."""
        return self.counts.get("particles", self.counts.get("micrographs", 1)) == 0
