"""Every job type has its record, and every reference in it leads to a function of the right form."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from cryoflow.jobs.registry import JOB_TYPES, JobType, load
from cryoflow.spec import SPEC_CLASSES
from cryoflow.spec.overrides import resolve_override

JOBS = pytest.mark.parametrize("job", JOB_TYPES.values(), ids=str)
ALL = JOB_TYPES.values()


def test_every_spec_class_has_its_record() -> None:
    assert {name: job.spec for name, job in JOB_TYPES.items()} == SPEC_CLASSES
    assert list(JOB_TYPES) == list(SPEC_CLASSES)


def test_relion_calls_no_two_jobs_the_same() -> None:
    """The numbers of RELION 3.0's pipeline, as `tests/data/relion_fields.json` has been taken from it."""
    fields = json.loads((Path(__file__).parents[1] / "data" / "relion_fields.json").read_text())
    assert fields.keys() == JOB_TYPES.keys()
    assert {name: job.process.number for name, job in JOB_TYPES.items()} == {
        "AutoPick": 4,
        "Extract": 5,
        "Sort": 6,
        "Select": 7,
        "Class2D": 8,
    }


@pytest.mark.parametrize(
    ("references", "parameters"),
    [
        ([job.run for job in ALL], ["spec", "context"]),
        ([job.pictures for job in ALL if not job.measured], ["directory", "project"]),
        ([job.pictures for job in ALL if job.measured], ["directory", "project", "scores"]),
        ([job.measured for job in ALL], ["directory", "project"]),
        ([job.memory for job in ALL], ["spec", "project"]),
        ([job.sweep.columns for job in ALL], ["project", "job", "counts", "cache"]),
        ([job.sweep.names for job in ALL], ["spec", "project"]),
        ([job.sweep.notes for job in ALL], ["rows", "varied"]),
    ],
)
def test_references_lead_to_functions(references: list[str], parameters: list[str]) -> None:
    for reference in filter(None, references):
        assert list(inspect.signature(load(reference)).parameters) == parameters


@JOBS
def test_overrides_name_fields(job: JobType) -> None:
    for override in (*job.rerun_overrides, *job.sweep.overrides):
        assert resolve_override(job.spec, override) == override


def test_the_registry_needs_no_torch() -> None:
    code = "import sys, cryoflow.jobs.registry; assert not {'torch', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
