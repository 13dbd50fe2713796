"""A small simulated project and its references, for the tests of the public API against the jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryoflow.jobs.registry import runner
from cryoflow.launch.job.device import torch_threads
from cryoflow.project.context import JobContext, JobResult
from cryoflow.simulate.project import simulate_project
from cryoflow.spec import parse_spec
from helpers.small_project import SMALL

CTF, REFERENCES = "CtfFind/job003/micrographs_ctf.star", "Select/job009/class_averages.star"


def make_project(root: Path) -> Path:
    """Simulate two micrographs with six particles each."""
    simulate_project(root, SMALL)
    return root


def run(root: Path, directory: str, spec: dict[str, Any]) -> JobResult:
    """Run a job on one thread, as the function that the launcher calls."""
    folder = root / directory
    folder.mkdir(parents=True, exist_ok=True)
    with torch_threads(1):
        return runner(spec["job"])(parse_spec(spec), JobContext(root, folder))
