"""Decoys beside the picks: q-values, expected false picks, and that picks stay what they are."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from cryoflow.errors import CryoflowError
from cryoflow.files.mrc import read_image, write_mrc
from cryoflow.files.star import read_star
from cryoflow.jobs.autopick.q_values import _expected
from cryoflow.jobs.autopick.run import run
from cryoflow.project.context import JobContext, JobResult, SweepCache
from cryoflow.simulate.options import SimulateOptions
from cryoflow.simulate.project import simulate_project
from cryoflow.simulate.score import PARTICLE, kinds_of, read_truth
from cryoflow.spec import AutoPick

OPTIONS = SimulateOptions(
    micrographs=3,
    selected=1,
    size=(850, 901),
    pixel_size=3.54,
    diameter=170,
    particles=75,
    broken=0,
    contaminants=0,
    carbon=0,
    hot_pixels=0,
    snr=0.06,
)
SCORES = ["rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("decoys") / "new"
    simulate_project(directory, OPTIONS)
    return directory


@pytest.fixture(scope="module")
def picked(project: Path) -> JobResult:
    return pick(project, "job011")


def pick(
    project: Path, job: str, decoys: bool = True, cache: SweepCache | None = None, **autopicking: Any
) -> JobResult:
    settings = {"picking_threshold": 0.15, "minimum_inter_particle_distance": 100, "shrink_factor": 0}
    spec = AutoPick(  # type: ignore[call-arg]
        io={
            "input_micrographs_for_autopick": "CtfFind/job003/micrographs_ctf.star",
            "reference_2d": "Select/job009/class_averages.star",
        },
        references={
            "lowpass_filter_references": 20,
            "pixel_size_in_references": 7.08,
            "in_plane_angular_sampling": 20,
        },
        autopicking=settings | {"maximum_stddev_noise": None, "figure_of_merit": "ncc"} | autopicking,
        statistics={"decoys": decoys},
    )
    directory = project / "AutoPick" / job
    known = directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    return run(spec, JobContext(project, directory, continuing=known, cache=cache))


def scores(project: Path, job: str) -> pd.DataFrame:
    table = read_star(project / "AutoPick" / job / "picks_scores.star")[""]
    assert isinstance(table, pd.DataFrame)
    return table


def false_share(project: Path, table: pd.DataFrame) -> float:
    false = 0
    for name, rows in table.groupby("rlnMicrographName"):
        xy = rows[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(float)
        false += int((kinds_of(xy, read_truth(project, str(name))) != PARTICLE).sum())
    return false / max(1, len(table))


def files(project: Path, job: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (project / "AutoPick" / job).rglob("*.star")}


def test_picks_are_the_same_with_and_without_decoys(project: Path, picked: JobResult) -> None:
    plain, scored = pick(project, "job010", decoys=False), picked
    before, after = files(project, "job010"), files(project, "job011")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"autopick.star", "statistics.star", "thresholds.star"}
    assert {name for name in after if name not in before} == {
        "picks_scores.star", *(f"mic00{i}_autopick_decoys.star" for i in (1, 2, 3))
    }  # fmt: skip
    assert set(scored.counts) - set(plain.counts) == {"expected_false", "expected_false_shape"}
    assert "contaminants are not counted" in scored.summary
    assert all((project / name).exists() for name in scored.outputs)
    table = scores(project, "job011")
    assert list(table.columns) == [*SCORES, "cryoflowQValue", "cryoflowQValueShape"]
    assert len(table) == scored.counts["particles"]
    picks = read_star(project / "AutoPick/job011/Micrographs/mic002_autopick.star")[""]
    assert isinstance(picks, pd.DataFrame)
    mine = table[table["rlnMicrographName"] == "Micrographs/mic002.mrc"]
    np.testing.assert_array_equal(mine[SCORES[1:]].to_numpy(), picks[SCORES[1:]].to_numpy())


def test_q_values_and_counts_are_those_of_the_competition(project: Path, picked: JobResult) -> None:
    table = scores(project, "job011")
    statistics = read_star(project / "AutoPick/job011/statistics.star")[""]
    assert isinstance(statistics, pd.DataFrame)
    for null, column in (("noise", ""), ("shape", "Shape")):
        parts = [
            read_star(project / f"AutoPick/job011/Micrographs/mic00{i}_autopick_decoys.star")[null]
            for i in (1, 2, 3)
        ]
        rows = pd.concat([part for part in parts if isinstance(part, pd.DataFrame)], ignore_index=True)
        won = rows[rows["cryoflowWon"] == 1]
        targets, decoys = (won[won["cryoflowDecoy"] == kind]["rlnAutopickFigureOfMerit"] for kind in (0, 1))
        own = rows[rows["cryoflowDecoy"] == 0].reset_index(drop=True)
        for place in (0, len(own) // 3, len(own) - 1):
            at = own["rlnAutopickFigureOfMerit"][place]
            rates = [(1 + (decoys >= t).sum()) / (targets >= t).sum() for t in targets[targets <= at]]
            expected = min(1, *rates) if own["cryoflowWon"][place] else 1
            assert table[f"cryoflowQValue{column}"][place] == pytest.approx(expected, abs=1e-6)
        lost = int((own["cryoflowWon"] == 0).sum())
        expected_false = statistics[f"cryoflowExpectedFalsePicks{column}"].sum()
        assert expected_false == lost + len(decoys)
    assert statistics["cryoflowExpectedFalsePicks"].sum() == picked.counts["expected_false"]


def test_what_is_nominal_is_realised_without_contaminants(project: Path, picked: JobResult) -> None:
    table = scores(project, "job011")
    false = false_share(project, table) * len(table)
    assert false > 150  # else there is nothing to test
    assert picked.counts["expected_false"] == pytest.approx(false, rel=0.1)
    for nominal in (0.05, 0.1):
        chosen = table[table["cryoflowQValue"] <= nominal]
        assert len(chosen) > 150
        # of some 200 picks: the standard deviation of their false share is 0.02
        assert false_share(project, chosen) == pytest.approx(nominal, abs=0.04)
    cautious = table[table["cryoflowQValueShape"] <= 0.1]
    assert len(cautious) and false_share(project, cautious) <= 0.1


def test_points_of_a_sweep_and_maps_that_are_read_tell_the_same(project: Path, picked: JobResult) -> None:
    own = files(project, "job011")["picks_scores.star"]
    point = pick(project, "job020", cache=SweepCache(), write_fom_maps=True)
    assert files(project, "job020")["picks_scores.star"] == own
    assert {name: point.counts[name] for name in picked.counts} == picked.counts
    again = pick(project, "job020", read_fom_maps=True)
    assert files(project, "job020")["picks_scores.star"] == own
    assert again.counts["expected_false"] == picked.counts["expected_false"]
    with pytest.raises(CryoflowError, match="made with decoys of seed 0, but now it is none"):
        pick(project, "job020", read_fom_maps=True, decoys=False)


@pytest.mark.usefixtures("picked")
def test_an_interrupted_job_comes_to_the_same(project: Path) -> None:
    whole = files(project, "job011")
    folder = project / "AutoPick/job011"
    (folder / "Micrographs/mic002_autopick_decoys.star").unlink()
    (folder / "picks_scores.star").unlink()
    assert pick(project, "job011").counts["kept_micrographs"] == 2
    assert files(project, "job011") == whole


def test_decoys_and_picks_are_as_many_on_noise(project: Path, tmp_path: Path) -> None:
    noise = tmp_path / "noise"
    shutil.copytree(project, noise, ignore=shutil.ignore_patterns("AutoPick"))
    for number in (1, 2, 3):
        path = noise / f"Micrographs/mic00{number}.mrc"
        shape = read_image(path).shape
        image = torch.randn(shape, generator=torch.Generator().manual_seed(number))
        write_mrc(path, image.numpy(), OPTIONS.pixel_size)
    result = pick(noise, "job010", picking_threshold=0.25)
    picks = result.counts["particles"]
    assert picks > 300
    for null in ("expected_false", "expected_false_shape"):
        assert result.counts[null] == pytest.approx(picks, rel=0.2)
    assert scores(noise, "job010")["cryoflowQValue"].min() > 0.2


@pytest.mark.parametrize(("decoys_won", "expected"), [(0, 1), (1, 2), (5, 3)])
def test_no_more_picks_are_noise_than_there_are(decoys_won: int, expected: int) -> None:
    """Of three picks one has lost; decoys may be more, as they fit the flanks of particles."""
    picks = pd.DataFrame({"cryoflowDecoy": 0, "cryoflowWon": [1, 1, 0]})
    decoys = pd.DataFrame({"cryoflowDecoy": 1, "cryoflowWon": [1] * decoys_won + [0] * 2})
    assert _expected(pd.concat((picks, decoys), ignore_index=True)) == expected
