"""Picks are cut by figure of merit, q-value and probability before they are extracted."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.particle_project import context, extract_spec, listener, picks

from cryoflow.errors import CryoflowError, FileError, SpecError
from cryoflow.files.star import write_star
from cryoflow.files.tables import read_particles
from cryoflow.jobs.extract.run import run

NAMES = [f"MotionCorr/job002/Movies/mic{number}.mrc" for number in (1, 2, 3)]
ALL = pd.concat([picks(number).assign(rlnMicrographName=NAMES[number - 1]) for number in (1, 2, 3)])
FOM = ALL["rlnAutopickFigureOfMerit"].to_numpy()


def extracted(project: Path, **sections: object) -> tuple[pd.DataFrame, list[str], tuple[str, ...]]:
    here = context(project, "Extract/job012")
    result = run(extract_spec(**sections), here)
    return read_particles(project / "Extract/job012/particles.star").rows, listener(here).said, result.inputs


def scores(
    project: Path, columns: dict[str, np.ndarray], name: str = "AutoPick/job011/picks_scores.star"
) -> None:
    table = ALL[["rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY"]].assign(**columns)
    write_star(project / name, {"": table.sample(frac=1, random_state=0)})


def places(rows: pd.DataFrame) -> list[list[float]]:
    return np.round(rows[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(), 4).tolist()


def test_the_figure_of_merit_cuts_at_and_above_its_bound(project: Path) -> None:
    bound = float(f"{sorted(FOM)[6]:.6f}")
    rows, said, _ = extracted(project, picks={"minimum_autopick_fom": bound})
    assert places(rows) == places(ALL[np.round(FOM, 6) >= bound]) and len(rows) == 9
    assert f"9 of 15 picks have a figure of merit of at least {bound:g}" in said


def test_cuts_keep_the_images(project: Path) -> None:
    every, _, _ = extracted(project)
    rows, _, _ = extracted(project, picks={"minimum_autopick_fom": 0.5})
    kept = every[every["rlnAutopickFigureOfMerit"] >= 0.5]
    assert (
        rows.drop(columns="rlnImageName")
        .reset_index(drop=True)
        .equals(kept.drop(columns="rlnImageName").reset_index(drop=True))
    )


def test_q_values_are_found_by_position(project: Path) -> None:
    q = np.linspace(0, 0.14, 15)
    scores(project, {"cryoflowQValue": q})
    rows, said, inputs = extracted(project, picks={"q_value_max": 0.05})
    assert places(rows) == places(ALL[q <= 0.05]) and len(rows) == 6
    assert "6 of 15 picks have a q-value of at most 0.05" in said
    assert "AutoPick/job011/picks_scores.star" in inputs


def test_probabilities_come_from_a_named_table_and_cuts_combine(project: Path) -> None:
    probability = np.linspace(0, 1, 15)
    scores(project, {"cryoflowProbability": probability}, "mine.star")
    bounds = {"probability_min": 0.5, "scores": "mine.star", "minimum_autopick_fom": 0.3}
    rows, said, _ = extracted(project, picks=bounds)
    assert places(rows) == places(ALL[(probability >= 0.5) & (FOM >= 0.3)])
    assert any(line.endswith("merit of at least 0.3 and a probability of at least 0.5") for line in said)


def test_what_is_missing_is_named(project: Path) -> None:
    with pytest.raises(
        CryoflowError, match=r"^there is no picks_scores.star beside AutoPick/job011.*; pick with dec"
    ):
        extracted(project, picks={"q_value_max": 0.05})
    scores(project, {"cryoflowProbability": FOM})
    with pytest.raises(
        FileError, match=r"picks_scores.star: lacks cryoflowQValue, which the cut of picks needs$"
    ):
        extracted(project, picks={"q_value_max": 0.05})
    write_star(project / "moved.star", {"": ALL.assign(cryoflowQValue=0.0, rlnCoordinateX=1.0)})
    with pytest.raises(
        FileError, match=r"moved.star: has no scores of 5 picks of .*; give those of the same picking"
    ):
        extracted(project, picks={"q_value_max": 0.05, "scores": "moved.star"})
    write_star(project / "one.star", {"": ALL.iloc[:5].assign(cryoflowQValue=0.0)})
    with pytest.raises(
        FileError, match=r"one.star: has no scores of MotionCorr/job002/Movies/mic2.mrc; give the sco"
    ):
        extracted(project, picks={"q_value_max": 0.05, "scores": "one.star"})
    write_star(project / "bare.star", {"": ALL.drop(columns="rlnAutopickFigureOfMerit")})
    with pytest.raises(
        FileError, match=r"bare.star: lacks rlnAutopickFigureOfMerit, which 'Minimum autopick FOM' ne"
    ):
        extracted(project, io={"input_coordinates": "bare.star"}, picks={"minimum_autopick_fom": 0.5})


def test_bounds_that_would_be_ignored_are_refused() -> None:
    with pytest.raises(
        SpecError, match="scores: would be ignored; give 'Q-value max' or 'Probability min' too"
    ):
        extract_spec(picks={"scores": "a.star"})
    refined = {
        "re_extract_refined_particles": True,
        "refined_particles_star_file": "a.star",
        "input_coordinates": None,
    }
    with pytest.raises(
        SpecError, match="picks are not cut when particles are re-extracted; select the particles"
    ):
        extract_spec(io=refined, picks={"minimum_autopick_fom": 0.5})
