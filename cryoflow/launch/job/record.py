"""A job's record, as it starts and as it ends."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cryoflow.project.context import JobContext, JobResult
from cryoflow.project.fingerprints import fingerprints
from cryoflow.project.record import versions
from cryoflow.project.record_model import FORMAT
from cryoflow.spec import JobSpec, spec_dump

Record = dict[str, Any]


def first_record(
    project: Path,
    spec: JobSpec,
    command: str,
    device: str,
    inputs: Iterable[str],
    started: datetime | None = None,
    sweep: str = "",
) -> Record:
    """Return the record of a job that starts; it has all keys, so that readers need not check for them.

    Its inputs are only those that the spec names; they decide whether a killed job can be resumed.
    """
    started = started or datetime.now().astimezone()
    return {
        "command": command,
        "counts": {},
        "device": device,
        "error": None,
        "failures": [],
        "format": FORMAT,
        "inputs": fingerprints(project, inputs),
        "outputs": [],
        "seed": spec.compute.seed,
        "spec": spec_dump(spec),
        "status": "running",
        "sweep": sweep or None,
        "threads": None,
        "timings": {"seconds": {}, "started": started.isoformat(timespec="seconds")},
        "versions": versions(),
    }


def full_record(
    first: Mapping[str, Any], context: JobContext, result: JobResult, seconds: Mapping[str, float]
) -> Record:
    """Return the record of a job that has ended, with the hashes of its files.

    An input that changed while the job ran has no hash: what was read of it is not known.
    """
    start, threads = time.monotonic(), int(first["threads"] or 1)
    inputs = fingerprints(context.project, {*result.inputs, *context.inputs.names}, threads)
    changed = context.inputs.sizes_of_changed(context.project)
    record = dict(first) | {
        "counts": result.counts,
        "failures": [failure._asdict() for failure in result.failures],
        "inputs": [
            entry | {"size": changed[entry["path"]], "sha256": None} if entry["path"] in changed else entry
            for entry in inputs
        ],
        "outputs": fingerprints(context.project, result.outputs, threads),
    }
    spent = {**seconds, "hashes": time.monotonic() - start}
    record["timings"] = dict(first["timings"]) | {
        "seconds": {what: round(value, 3) for what, value in spent.items()}
    }
    return record
