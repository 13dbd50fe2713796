"""A selection that is continued with another criterion drops the recorded ones, and says so."""

from pathlib import Path

import pytest
from helpers.launch_project import cryoflow, kept, make_project, select_spec

from cryoflow.launch.criteria import replaced_criteria
from cryoflow.project.record import read_record
from cryoflow.spec import parse_spec


def test_another_criterion_replaces_the_recorded_one(
    tmp_path: Path, no_pictures: None, capsys: pytest.CaptureFixture[str]
) -> None:
    project = make_project(tmp_path / "project")
    spec = select_spec(tmp_path / "spec.yaml", 0.2)
    assert cryoflow(project, "run", spec, "device=cpu") == 0
    assert kept(project, "Select/job013") == 1
    capsys.readouterr()
    (project / "good.txt").write_text("000002@Extract/job012/a.mrcs\n000003@Extract/job012/a.mrcs\n")
    assert cryoflow(project, "run", "--continue", "Select/job013", "rows_in=good.txt") == 0
    told = capsys.readouterr().out
    assert "Select/job013: replaces the recorded select_based_on_metadata_values=yes (" in told
    assert "maximum_metadata_value=0.2" in told
    assert kept(project, "Select/job013") == 2
    recorded = read_record(project / "Select/job013")["spec"]
    assert recorded["subsets"]["select_based_on_metadata_values"] is False
    both = ("maximum_metadata_value=0.5", "select_based_on_metadata_values=yes", "rows_in=good.txt")
    assert cryoflow(project, "run", "--continue", "Select/job013", *both) == 0
    assert kept(project, "Select/job013") == 1


CLASSES = {"select_classes_from_model_star": "run_it025_model.star"}


@pytest.mark.parametrize(
    ("selection", "overrides", "dropped", "texts"),
    [
        (
            {"class_score_min": 0.5},
            ["classes=[1,2]"],
            ["selection.class_score_min=-"],
            ["class_score_min=0.5"],
        ),
        ({"class_score_min": 0.5}, ["class_score_min=0.7"], [], []),
        ({"class_score_min": 0.5}, ["seed=3"], [], []),
        ({"class_score_min": 0.5}, ["class_score_min=-"], [], []),
        ({"class_score_min": 0.5, "q_value_max": 0.1}, ["q_value_max=0.2"], [], []),
        ({"class_score_min": 0.5}, ["class_score_min=0.6", "classes=[1]"], [], []),
        (
            {"columns": {"rlnClassDistribution": {"min": 0.1}}, "invert": True},
            ["selection.classes.top=3"],
            ["selection.columns=-", "selection.invert=no"],
            ["columns={'rlnClassDistribution.min': 0.1}", "invert=yes"],
        ),
        ({"classes": [1, 2]}, ["class score min=0.3"], ["selection.classes=-"], ["classes=[1, 2]"]),
    ],
)
def test_what_is_replaced(
    selection: dict[str, object], overrides: list[str], dropped: list[str], texts: list[str]
) -> None:
    spec = parse_spec({"job": "Select", "io": CLASSES, "selection": selection})
    assert replaced_criteria(spec, overrides) == (dropped, texts)
