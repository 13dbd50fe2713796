"""What is refused before anything is written."""

import os
from pathlib import Path

import pytest
from helpers.stand_in_job import SPEC, listing, run_spec, stand_in_project

from cryoflow.errors import CryoflowError, SpecError
from cryoflow.launch.options import RunOptions
from cryoflow.launch.run import run_specs

project = stand_in_project


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"continued": "Select/job014", "multirun": True}, "one directory cannot hold several jobs"),
        ({"continued": "Select/job099"}, "no such job directory"),
        ({"multirun": True, "launcher": "pigeon"}, "no such launcher; use joblib, local, slurm"),
    ],
)
def test_options_that_do_not_go(project: Path, options: dict[str, object], why: str) -> None:
    with pytest.raises(CryoflowError, match=why):
        run_spec(project, **options)
    assert not (project / "Select").exists()


def test_directory_that_exists(project: Path) -> None:
    (project / "Select" / "job014").mkdir(parents=True)
    before = sorted(project.rglob("*"))
    (project / "spec.yaml").touch()
    with pytest.raises(SpecError, match=r"^Select/job014: exists already"):
        run_spec(project)
    assert sorted(project.rglob("*")) == sorted([*before, project / "spec.yaml"])


def test_two_specs_with_one_number(project: Path) -> None:
    (project / "spec.yaml").write_text(SPEC)
    with pytest.raises(SpecError, match="two specs have this number"):
        run_specs([project / "spec.yaml"] * 2, ["alias=-"], RunOptions(project, ""))


def test_missing_input_is_refused_before_anything_is_written(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_spec(project, "io.select_from_particles_star=Extract/job013/particles.star") == 2
    told = capsys.readouterr().err
    assert told.startswith("Extract/job013/particles.star: no such file in the project ")
    assert told.count("\n") == 1
    assert listing(project) == {"Extract", "spec.yaml"}


def test_read_only_project_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "spec.yaml").write_text(SPEC)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(CryoflowError, match="the project is read-only, nothing was written"):
        run_specs([project / "spec.yaml"], [], RunOptions(project, ""))
    assert listing(project) == {"Extract", "spec.yaml"}


def test_list_without_multirun_is_refused(project: Path) -> None:
    with pytest.raises(SpecError, match="several values; add --multirun for one job each, or write"):
        run_spec(project, "minimum_metadata_value=0,1")


def test_override_goes_to_the_specs_that_have_it(project: Path) -> None:
    (project / "spec.yaml").write_text(SPEC)
    (project / "sort.yaml").write_text(
        "job: Sort\nio: {input_particles_to_be_sorted: Extract/job012/particles.star}\n"
    )
    paths = [project / "spec.yaml", project / "sort.yaml"]
    with pytest.raises(SpecError) as caught:
        run_specs(paths, ["sigma_value=3", "colour=red"], RunOptions(project, ""))
    told = "\n".join(caught.value.problems)
    assert "Select has no field 'colour'" in told
    assert "Sort has no field 'colour'" in told
