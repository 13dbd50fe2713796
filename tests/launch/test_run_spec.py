"""One spec run from Python, and what Hydra and a spec file take an override for."""

from pathlib import Path
from typing import Any

import pytest
from helpers.launch_project import SPEC, cryoflow, kept, one_selection
from hydra import compose, initialize
from omegaconf import OmegaConf

from cryoflow.errors import CryoflowError, SpecError
from cryoflow.launch.overrides import CONFIG, compose_point, store
from cryoflow.launch.plan import make_plans, source_of
from cryoflow.launch.run import run_spec
from cryoflow.project.record import read_record
from cryoflow.spec import Select, load_spec, parse_spec
from cryoflow.spec.overrides import means

project = one_selection

CPU: dict[str, Any] = {"device": "cpu"}


def test_outcome_has_paths_and_nothing_is_printed(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    outcome = run_spec(project.parent / "spec.yaml", {**CPU, "maximum_metadata_value": 0.2}, project)
    assert (outcome.directory, outcome.code, outcome.message) == ("Select/job013", 0, "1 particles")
    recorded = [entry["path"] for entry in read_record(project / outcome.directory)["outputs"]]
    assert list(outcome.outputs) == recorded
    assert "Select/job013/particles.star" in recorded
    assert capfd.readouterr() == ("", "")
    assert ": 1 particles; " in (project / "Select/job013/run.out").read_text()


def test_a_file_a_mapping_and_a_spec_are_the_same_job(project: Path) -> None:
    file = project.parent / "spec.yaml"
    content = {
        "job": "Select",
        "io": {"OR select from particles.star": "Extract/job012/particles.star"},
        "Subsets": {"Select based on metadata values?": True, "minimum_metadata_value": -1}
        | {"metadata_label_for_subset_selection": "rlnParticleSelectZScore", "maximum_metadata_value": 0.5},
    }
    outcomes = [run_spec(spec, CPU, project) for spec in (file, content, load_spec(file))]
    assert [kept(project, outcome.directory) for outcome in outcomes] == [2, 2, 2]
    specs = [read_record(project / outcome.directory)["spec"] for outcome in outcomes]
    assert specs[0] == specs[1] == specs[2]


def test_a_spec_from_python_is_refused_as_on_the_command_line(project: Path) -> None:
    with pytest.raises(SpecError, match="override 'colour=3': Select has no field 'colour'"):
        run_spec(project.parent / "spec.yaml", {"colour": 3}, project)
    with pytest.raises(CryoflowError, match="no such project directory"):
        run_spec(project.parent / "spec.yaml", project=project / "none")


def test_refused_and_failed_jobs_are_outcomes(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = project.parent / "spec.yaml"
    absent = run_spec(file, {**CPU, "io.select_from_particles_star": "Extract/job099/a.star"}, project)
    assert (absent.directory, absent.code, absent.outputs) == ("", 2, ())
    assert absent.message.startswith("Extract/job099/a.star: no such file in the project")
    failed = run_spec(file, [*("device=cpu", "metadata_label_for_subset_selection=rlnNone")], project)
    assert (failed.directory, failed.code) == ("Select/job013", 1)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("override", "why"),
    [("alias=1e3", r"Hydra reads 1000.0, a spec file '1e3'"), ("alias=010", None), ("seed=1_0", "reads 10")],
)
def test_an_override_that_hydra_and_a_spec_file_read_differently_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], override: str, why: str | None
) -> None:
    code = cryoflow(project, "run", project.parent / "spec.yaml", "device=cpu", override)
    if why is None:
        assert code == 0
        assert (project / "Select" / override.partition("=")[2]).exists()
    else:
        assert code == 2
        assert why in capsys.readouterr().err
        assert not (project / "Select").exists()


@pytest.mark.parametrize("nothing", ["null", "none", "-"])
def test_nothing_is_read_alike(nothing: str) -> None:
    for name in ("selection.classes", "selection.top", "number", "compute.threads"):
        (override,) = compose_point(Select, [f"{name}={nothing}"])
        assert means(Select, f"{name}=none", override[1])


def test_quotes_make_a_text_of_it(project: Path) -> None:
    assert cryoflow(project, "run", project.parent / "spec.yaml", "device=cpu", "alias='1e3'") == 0
    assert (project / "Select" / "1e3").readlink() == Path("job013")


def test_a_worker_composes_what_was_planned(tmp_path: Path) -> None:
    """Each point replaces a mapping of the spec file, as an override of a single run does."""
    text = SPEC.format(number=14, alias="-", source="a.star", most=0.5)
    (tmp_path / "spec.yaml").write_text(
        text + "selection:\n  top: {n: 5, by: rlnParticleSelectZScore, ascending: yes}\n"
    )
    given = ["selection.top={n: 3, by: rlnClassNumber}", "maximum_metadata_value=0.4,1"]
    (plan,) = make_plans([source_of(tmp_path / "spec.yaml")], given, multirun=True)
    assert [spec.model_dump()["selection"]["top"]["ascending"] for spec in plan.specs] == [False, False]
    store(plan.spec, ["selection.top", "subsets.maximum_metadata_value"], {})
    for spec, point in zip(plan.specs, plan.points, strict=True):
        with initialize(version_base="1.3", config_path=None):
            config = compose(CONFIG, overrides=[f"++spec.{value}" for value in point])
        plain: Any = OmegaConf.to_container(config.spec)
        assert parse_spec(plain) == spec
