"""`cryoflow.run` against the files and the record of the job."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers.launch_project import make_project, select_spec

import cryoflow as cf
from cryoflow.files.star import read_star
from cryoflow.project.record import read_record
from cryoflow.spec import load_spec


@pytest.fixture
def project(tmp_path: Path, no_pictures: None) -> Path:
    return make_project(tmp_path / "project")


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return select_spec(tmp_path / "spec.yaml", most=0.5)


def names(table: pd.DataFrame) -> list[int]:
    return [int(str(name).partition("@")[0]) for name in table["rlnImageName"]]


def test_a_job_says_where_it_ran_and_what_it_found(
    project: Path, spec: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    job = cf.run(spec, project)
    assert job.directory == project / "Select/job013"
    record = read_record(job.directory)
    assert job.counts == record["counts"] == {"particles": 2}
    assert list(job.outputs) == [project / entry["path"] for entry in record["outputs"]]
    assert all(path.is_file() for path in job.outputs)
    assert names(job.table("particles.star")) == [1, 2]
    assert job.star("particles.star").keys() == read_star(job.path("particles.star")).keys()
    assert job.summary == "2 particles" and job.warnings == () and job.failures == ()
    assert record["command"] == f"cryoflow.run({str(spec)!r})"
    assert capfd.readouterr() == ("", "")


def test_it_speaks_when_asked(project: Path, spec: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cf.run(spec, project, quiet=False)
    assert "2 particles" in capfd.readouterr().out


@pytest.mark.parametrize(
    "given",
    [
        {"maximum_metadata_value": 0.2},
        {"overrides": {"subsets.maximum_metadata_value": 0.2}},
        {"overrides": {"Maximum metadata value": 0.9}, "maximum_metadata_value": 0.9, "invert": None},
    ],
)
def test_values_are_overridden_by_short_or_dotted_name(
    project: Path, spec: Path, given: dict[str, Any]
) -> None:
    expected = [1] if given.pop("invert", 1) else [1, 2, 3]
    assert names(cf.run(spec, project, **given).table("particles.star")) == expected


def test_a_spec_may_be_a_mapping_or_validated(project: Path, spec: Path) -> None:
    validated = load_spec(spec)
    mapping = {
        "job": "Select",
        "io": {"select_from_particles_star": "Extract/job012/particles.star"},
        "selection": {"columns": {"rlnParticleSelectZScore": {"max": 0.5}}},
    }
    for given in (validated, mapping):
        assert names(cf.run(given, project).table("particles.star")) == [1, 2]
    assert read_record(project / "Select/job014")["command"] == "cryoflow.run({'job': 'Select', ...})"


def test_warnings_of_the_job_come_along(project: Path, spec: Path) -> None:
    job = cf.run(spec, project, maximum_metadata_value=-0.5)
    assert job.counts == {"particles": 0}
    assert job.warnings == (
        "no particles are left",
        "Select/job013 keeps nothing: 0 particles; jobs that use it have no input",
    )


def test_a_directory_is_run_in_again(project: Path, spec: Path) -> None:
    first = cf.run(spec, project)
    second = cf.run(spec, project, continued="Select/job013", maximum_metadata_value=1)
    assert second.directory == first.directory
    assert names(second.table("particles.star")) == [1, 2, 3]


def test_what_is_refused_or_fails_is_raised(project: Path, spec: Path) -> None:
    with pytest.raises(cf.CryoflowError, match="no field 'treshold'"):
        cf.run(spec, project, treshold=1)
    with pytest.raises(cf.CryoflowError, match=r"nothing.star: no such file in the project"):
        cf.run(spec, project, overrides={"io.select_from_particles_star": "Extract/nothing.star"})
    assert not (project / "Select").exists()
    column = {"metadata_label_for_subset_selection": "rlnNothing"}
    with pytest.raises(cf.CryoflowError, match=r"Select/job013: failed: .*lacks the column rlnNothing"):
        cf.run(spec, project, **column)
    job = cf.run(spec, project)
    with pytest.raises(cf.CryoflowError, match=r"other.star: no such file; the job wrote .*particles"):
        job.table("other.star")
