"""Select by q-value and probability: joined by image or place, told, and never silently."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.particle_project import Listener, context

from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.star import write_star
from cryoflow.files.tables import read_particles
from cryoflow.jobs.select.run import run
from cryoflow.spec import parse_spec

PLACE = ["rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY"]
Q = np.linspace(0.01, 0.2, 15)


def rows_of(project: Path) -> pd.DataFrame:
    return read_particles(project / "Extract/job012/particles.star").rows


def write_scores(project: Path, file: str, columns: list[str], order: list[int]) -> None:
    rows = rows_of(project)[columns].assign(cryoflowQValue=Q, cryoflowProbability=1 - 4 * Q)
    write_star(project / file, {"": rows.iloc[order]})


def select(project: Path, **selection: Any) -> tuple[list[str], Listener, tuple[str, ...]]:
    io = {"select_from_particles_star": "Extract/job012/particles.star"}
    where = context(project, "Select/job014")
    result = run(parse_spec({"job": "Select", "io": io, "selection": selection}), where)
    assert isinstance(where.report, Listener)
    kept = read_particles(project / "Select/job014/particles.star").rows["rlnImageName"].tolist()
    return kept, where.report, result.inputs


@pytest.mark.parametrize("columns", [["rlnImageName", *PLACE], PLACE])
def test_scores_are_joined_by_image_or_place_in_any_order(project: Path, columns: list[str]) -> None:
    write_scores(project, "scores.star", columns, [*range(14, 3, -1), 2, 1, 0])  # that of row 3 is missing
    kept, report, inputs = select(project, q_value_max=0.1, scores="scores.star")
    expected = (Q <= 0.1) & (np.arange(15) != 3)
    assert kept == rows_of(project)["rlnImageName"][expected].tolist()
    assert (
        report.said[0] == f"cryoflowQValue <= 0.1 (1 particles have none): {expected.sum()} of 15 particles"
    )
    assert inputs == ("Extract/job012/particles.star", "scores.star")


def test_scores_beside_the_input_are_found_and_both_cuts_hold(project: Path) -> None:
    write_scores(project, "Extract/job012/particles_scores.star", ["rlnImageName"], list(range(15)))
    kept, report, inputs = select(project, q_value_max=0.15, probability_min=0.5)
    assert kept == rows_of(project)["rlnImageName"][Q <= 0.125].tolist()
    assert report.said[1].startswith("cryoflowProbability >= 0.5: ")
    assert inputs[1] == "Extract/job012/particles_scores.star"
    assert select(project)[0] == rows_of(project)["rlnImageName"].tolist()  # by itself nothing is cut


def test_missing_scores_are_told_in_one_line(project: Path) -> None:
    with pytest.raises(
        FileError, match=r"particles_scores.star: does not exist, but selection > q_value_max needs it; run"
    ):
        select(project, q_value_max=0.1)
    write_star(project / "scores.star", {"": rows_of(project)[PLACE].assign(cryoflowQValue=Q)})
    with pytest.raises(FileError, match="lacks cryoflowProbability, which probability_min needs"):
        select(project, probability_min=0.5, scores="scores.star")
    elsewhere = rows_of(project)[PLACE].assign(rlnMicrographName="other.mrc", cryoflowQValue=Q)
    write_star(project / "scores.star", {"": elsewhere})
    with pytest.raises(FileError, match=r"has no scores for the particles of .* by micrograph and coord"):
        select(project, q_value_max=0.5, scores="scores.star")


def test_scores_that_nothing_is_cut_by_are_refused() -> None:
    io = {"select_from_particles_star": "Sort/job013/particles_sort.star"}
    with pytest.raises(CryoflowError, match="has no effect without q_value_max"):
        parse_spec({"job": "Select", "io": io, "selection": {"scores": "scores.star"}})


def test_micrographs_have_no_scores() -> None:
    io = {"select_from_micrographs_star": "CtfFind/job003/micrographs_ctf.star"}
    with pytest.raises(CryoflowError, match="particles have scores"):
        parse_spec({"job": "Select", "io": io, "selection": {"probability_min": 0.5}})
