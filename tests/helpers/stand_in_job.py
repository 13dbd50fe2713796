"""Runs of a Select job with a stand-in for the work itself."""

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from cryoflow.errors import CryoflowError
from cryoflow.jobs.registry import JOB_TYPES
from cryoflow.launch.options import RunOptions
from cryoflow.launch.run import run_specs
from cryoflow.project.context import Failure, JobContext, JobResult
from cryoflow.spec import Select

SPEC = """
job: Select
number: 14
alias: after_sort
io:
  OR select from particles.star: Extract/job012/particles.star
subsets:
  Select based on metadata values?: Yes
  Metadata label for subset selection: rlnParticleSelectZScore
  Maximum metadata value: 1.0
"""


def _select(spec: Select, context: JobContext) -> JobResult:
    """Stands in for a job; the lower limit of the subset says what is to go wrong."""
    what = spec.subsets.minimum_metadata_value
    name = context.relative(context.directory / "particles.star")
    source = str(spec.io.select_from_particles_star)
    if what == 1:
        raise ValueError("a mistake\nof ours")
    if what == 2:
        raise CryoflowError(f"{source}: no column rlnImageName; extract first")
    if what == 3:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    if what == 4:
        raise KeyboardInterrupt
    if what != 5:
        (context.project / name).write_text(f"{what} {context.device} {context.continuing}\n")
    if what == 8:
        torch.empty(1 << 60)
    if what == 9:
        np.empty(1 << 50)
    if what == 7:
        raise CryoflowError("no more paper")
    failures = (Failure("a.mrc", "truncated"),) if what == 6 else ()
    node = (name, "ParticleGroupMetadata.star.relion")
    return JobResult((source,), (name,), {"particles": 7}, failures, "7 particles", (node,))


@pytest.fixture
def stand_in_project(tmp_path: Path, no_pictures: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    module = ModuleType("stand_in")
    module.run = _select  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "stand_in", module)
    monkeypatch.setitem(JOB_TYPES, "Select", replace(JOB_TYPES["Select"], run="stand_in:run"))
    (tmp_path / "Extract" / "job012").mkdir(parents=True)
    (tmp_path / "Extract" / "job012" / "particles.star").write_text("data_\n")
    return tmp_path


def run_spec(project: Path, *overrides: str, spec: str | None = SPEC, **options: object) -> int:
    paths = []
    if spec is not None:
        paths = [project / "spec.yaml"]
        paths[0].write_text(spec)
    given = RunOptions(project, "cryoflow run spec.yaml", **options)  # type: ignore[arg-type]
    return run_specs(paths, overrides, given)


def listing(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}
