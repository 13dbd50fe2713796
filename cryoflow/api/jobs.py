"""Running whole jobs from Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import pandas as pd

from cryoflow.api.reading import read_star, read_table
from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.star import Block
from cryoflow.launch.run import run_spec
from cryoflow.project.context import Failure
from cryoflow.project.record import read_record
from cryoflow.spec import JobSpec, spec_dump

_WARNING = "warning: "


@dataclass(frozen=True)
class Outcome:
    """A finished job.

    Attributes
    ----------
    directory : Path
        Absolute job directory, e.g. ``<project>/AutoPick/job011``.
    summary : str
        In one line.
    counts : dict
        Numbers of the record, e.g. ``{"micrographs": 8, "particles": 539}``.
    outputs : tuple of Path
        Absolute paths of the files written.
    failures : tuple of Failure
        Items that were skipped (``item`` and ``message``).
    warnings : tuple of str
        Warnings in the job's log, for a continued job also those of its earlier runs.
    """

    directory: Path
    summary: str
    counts: dict[str, int | float]
    outputs: tuple[Path, ...] = field(repr=False)
    failures: tuple[Failure, ...] = field(repr=False)
    warnings: tuple[str, ...] = field(repr=False)

    def path(self, name: str) -> Path:
        """Return the path of a file in the job's directory, e.g. ``particles.star``.

        Raises
        ------
        FileError
            If there is none; the message lists the tables that exist.
        """
        path = self.directory / name
        if path.is_file():
            return path
        tables = (output.relative_to(self.directory) for output in self.outputs if output.suffix == ".star")
        raise FileError(path, f"no such file; the job wrote {', '.join(map(str, tables))}")

    def star(self, name: str) -> dict[str, Block]:
        """Read a STAR file of the job: a DataFrame or dict for each block."""
        return read_star(self.path(name))

    def table(self, name: str, block: str | None = None) -> pd.DataFrame:
        """Read a table of the job, e.g. ``particles.star``; see `cryoflow.read_table`."""
        return read_table(self.path(name), block)


def run(
    spec: str | PathLike[str] | Mapping[str, Any] | JobSpec,
    project: str | PathLike[str] = ".",
    *,
    quiet: bool = True,
    continued: str = "",
    overrides: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Outcome:
    """Run a job as ``cryoflow run`` does, in this process.

    Parameters
    ----------
    spec : path-like, mapping or JobSpec
        A spec file, its content, or a validated spec.
    project : path-like
        Project root.
    quiet : bool
        Print nothing; the job's logs are always written.
    continued : str
        Job directory to run in again, e.g. ``AutoPick/job011``; by default a new one, unless a job of the
        same spec was killed.
    overrides : mapping, optional
        Values by dotted name or label, e.g. ``{"autopicking.picking_threshold": 0.4}``.
    **fields
        Values by short name, e.g. ``picking_threshold=0.4``.

    Returns
    -------
    Outcome
        Of a job that succeeded, possibly with skipped items in ``failures``.

    Raises
    ------
    SpecError
        If spec or overrides are refused; with every problem.
    CryoflowError
        If the job was refused for another reason, or failed.
    """
    given = {**(overrides or {}), **fields}
    root = Path(project).absolute()
    command = _command(spec, given)
    ended = run_spec(spec, given, root, continued=continued, command=command, quiet=quiet)
    if not ended.directory:
        raise CryoflowError(ended.message)
    if ended.code == 1:
        raise CryoflowError(f"{ended.directory}: failed: {ended.message}")
    return _outcome(root, root / ended.directory, ended.message)


def _outcome(project: Path, directory: Path, summary: str) -> Outcome:
    record = read_record(directory)
    log = (directory / "run.err").read_text("utf-8", "replace").splitlines()
    return Outcome(
        directory,
        summary,
        dict(record["counts"]),
        tuple(project / entry["path"] for entry in record["outputs"]),
        tuple(Failure(**failure) for failure in record["failures"]),
        tuple(line.removeprefix(_WARNING) for line in log if line.startswith(_WARNING)),
    )


def _command(spec: str | PathLike[str] | Mapping[str, Any] | JobSpec, given: Mapping[str, Any]) -> str:
    """The call, for the record."""
    if isinstance(spec, JobSpec):
        spec = spec_dump(spec)
    shown = f"{{'job': {spec.get('job')!r}, ...}}" if isinstance(spec, Mapping) else repr(fspath(spec))
    values = f", overrides={dict(given)!r}" if given else ""
    return f"cryoflow.run({shown}{values})"
