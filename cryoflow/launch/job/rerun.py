"""Run a job again from its record, and compare the results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cryoflow.errors import CryoflowError
from cryoflow.files.job_paths import below_job
from cryoflow.jobs.registry import JOB_TYPES
from cryoflow.project.compare import TOLERANCE, Comparison, compare_files
from cryoflow.project.names import name_of
from cryoflow.project.record import read_record
from cryoflow.project.verify import Changed, changed_files
from cryoflow.spec import SPEC_CLASSES, JobSpec, parse_spec
from cryoflow.spec.overrides import apply_override


class Rerun(NamedTuple):
    """A job that was run again.

    Attributes
    ----------
    directory : str
        Of the new job, project-relative; empty if it was refused.
    code : int
        How the new job ended, see `cryoflow.launch.job.run.Outcome`.
    changed : list of Changed
        Inputs, and outputs of the old job, that differ from the old job's record.
    elsewhere : list of str
        What else has changed: device, versions, threads.
    files : list of (str, Comparison)
        Every output of the old job, by its name below the job directory.
    """

    directory: str
    code: int
    changed: list[Changed]
    elsewhere: list[str]
    files: list[tuple[str, Comparison]]


def read_ended(directory: Path) -> dict[str, Any]:
    """Return the record of a job that has succeeded.

    Raises
    ------
    CryoflowError
        If there is none.
    """
    record = read_record(directory)
    if record.get("status") not in {"succeeded", "partial"}:
        raise CryoflowError(
            f"{name_of(directory)}: did not succeed, so there is nothing to compare with; use run --continue"
        )
    return record


def rerun_job(project: Path, directory: Path, command: str, tolerance: float = TOLERANCE) -> Rerun:
    """Run the job of a record again, under the next free number, and compare every output.

    Parameters
    ----------
    project : Path
        Absolute project root; it may have been moved since the job ran.
    directory : Path
        Absolute job directory.
    command : str
        For note and record.
    tolerance : float
        See `cryoflow.project.compare.TOLERANCE`.

    Raises
    ------
    CryoflowError
        See `read_ended`.
    """
    from cryoflow.launch.job.run import run_job
    from cryoflow.launch.outcome import Request

    record, old = read_ended(directory), name_of(directory)
    changed = changed_files(project, record)
    outcome = run_job(_spec_again(record, old), Request(str(project), command, apart=True))
    if not outcome.directory or outcome.code == 1:
        return Rerun(outcome.directory, outcome.code or 2, changed, [], [])
    again = read_record(project / outcome.directory)
    files = list(_compared(project, old, outcome.directory, record, again, tolerance))
    return Rerun(outcome.directory, outcome.code, changed, _elsewhere(record, again), files)


def _spec_again(record: dict[str, Any], source: str) -> JobSpec:
    """Return the spec for a new directory: number, alias and intermediate files stay with the old one.

    It runs with as many threads as before: sums in another order differ in their last digits.
    """
    spec = dict(record["spec"]) | {"number": None, "alias": None}
    if record.get("threads"):
        spec["compute"] = dict(spec["compute"]) | {"threads": record["threads"]}
    for override in JOB_TYPES[spec["job"]].rerun_overrides:
        spec, _ = apply_override(SPEC_CLASSES[spec["job"]], spec, override)
    return parse_spec(spec, source)


def _compared(
    project: Path, old: str, new: str, record: dict[str, Any], again: dict[str, Any], tolerance: float
) -> Iterator[tuple[str, Comparison]]:
    before, after = ({below_job(e["path"]): e for e in r["outputs"]} for r in (record, again))
    for name in sorted(before):  # a point of a sweep writes fewer files than a job of its own
        if name in after and before[name]["sha256"] == after[name]["sha256"]:
            yield name, Comparison("identical")
        else:
            paths = (project / old / name, project / new / name)
            yield name, compare_files(*paths, names=(old, new), tolerance=tolerance)


def _elsewhere(record: dict[str, Any], again: dict[str, Any]) -> list[str]:
    pairs = [(what, record.get(what), again.get(what)) for what in ("device", "threads")]
    versions = record["versions"] | again["versions"]
    pairs += [(what, record["versions"].get(what), again["versions"].get(what)) for what in sorted(versions)]
    return [f"{what} was {then}, is now {now}" for what, then, now in pairs if then != now]
