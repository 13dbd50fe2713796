"""Objectives: checked against the columns that the points will have, and those of learnt scores."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.launch_project import cryoflow, one_selection, sweep_rows

from cryoflow.errors import CryoflowError
from cryoflow.files.star import write_star
from cryoflow.files.tables import read_particles
from cryoflow.jobs.sort.sweep_columns import sweep_columns
from cryoflow.launch.sweep.objective import check_objective
from cryoflow.spec import AutoPick, Sort, parse_spec

project = one_selection


def picking(objective: str, decoys: bool = False) -> AutoPick:
    io = {"input_micrographs_for_autopick": "mics.star", "reference_2d": "refs.star"}
    given: dict[str, Any] = {"job": "AutoPick", "io": io, "objective": objective}
    spec = parse_spec(given | {"statistics": {"decoys": decoys}})
    assert isinstance(spec, AutoPick)
    return spec


@pytest.mark.parametrize(
    ("objective", "why"),
    [
        ("beauty", "no point will have a column 'beauty'; available: micrographs, particles, "),
        ("f1", "'f1', which needs the true positions of a simulated project; available"),
        ("-expected_false", "'expected_false', which needs statistics.decoys=yes"),
        ("q05_picks", "'q05_picks', which needs statistics.decoys=yes"),
    ],
)
def test_what_no_point_will_have_is_refused(tmp_path: Path, objective: str, why: str) -> None:
    with pytest.raises(CryoflowError, match=why):
        check_objective([picking(objective)], tmp_path)


def test_what_there_will_be_is_accepted(tmp_path: Path) -> None:
    check_objective([picking("-seconds"), picking("-seconds")], tmp_path)
    check_objective([picking("q05_picks"), picking("q05_picks", decoys=True)], tmp_path)
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth/params.json").write_text("{}")
    check_objective([picking("f1")], tmp_path)


def test_nothing_is_run_for_an_objective_that_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--multirun", "objective=expected_f1", "maximum_metadata_value=0.5,0.2")
    before = sorted(project.rglob("*"))
    assert cryoflow(project, "run", project.parent / "spec.yaml", "device=cpu", *words) == 2
    assert (
        "'expected_f1', which needs learnt scores; available: particles, seconds" in capsys.readouterr().err
    )
    assert sorted(project.rglob("*")) == before


def test_selections_are_compared_by_their_expected_f1(project: Path) -> None:
    particles = project / "Extract/job012/particles.star"
    names = read_particles(particles).rows["rlnImageName"]
    scores = pd.DataFrame({"rlnImageName": names, "cryoflowProbability": [0.9, 0.1, 0.8]})
    write_star(particles.with_name("particles_scores.star"), {"": scores})
    words = ("--multirun", "objective=expected_f1", "maximum_metadata_value=0.2,0.5,1")
    assert cryoflow(project, "run", project.parent / "spec.yaml", "device=cpu", *words) == 0
    kept = [
        read_particles(project / row["job"] / "particles.star").rows["rlnImageName"]
        for row in sweep_rows(project)
    ]
    probability = dict(zip(names, scores["cryoflowProbability"], strict=True))
    sums = [sum(probability[name] for name in some) for some in kept]
    expected = [2 * true / (len(some) + 1.8) for true, some in zip(sums, kept, strict=True)]
    assert [float(row["expected_f1"]) for row in sweep_rows(project)] == pytest.approx(expected, abs=1e-4)
    assert [float(row["expected_true"]) for row in sweep_rows(project)] == pytest.approx(sums, abs=0.05)


def test_columns_of_a_sort_job(tmp_path: Path) -> None:
    assert sweep_columns(tmp_path, "Sort/job013", {}, None) == {}
    scores = {"cryoflowProbability": [0.9, np.nan, 0.2, 0.7], "cryoflowQValue": [0.01, np.nan, 0.4, 0.05]}
    (tmp_path / "Sort/job013").mkdir(parents=True)
    write_star(tmp_path / "Sort/job013/particles_scores.star", {"": pd.DataFrame(scores)})
    found = sweep_columns(tmp_path, "Sort/job013", {}, None)
    # of the best one, two and three: 1.8 / 2.8, 3.2 / 3.8, 3.6 / 4.8
    assert found == {"q05_particles": 2, "expected_true": 1.8, "expected_f1": round(3.2 / 3.8, 4)}
    io = {"input_particles_to_be_sorted": "a.star", "autopicking_references": "b.star"}
    spec = parse_spec(
        {"job": "Sort", "io": io, "scores": {"learnt_scores": True}, "objective": "expected_f1"}
    )
    assert isinstance(spec, Sort)
    check_objective([spec], tmp_path)
