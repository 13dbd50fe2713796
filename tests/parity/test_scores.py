"""Learnt scores against the truth of a simulated project; labels serve for judging only."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cryoflow.files.star import read_star
from cryoflow.jobs.extract.run import run as run_extract
from cryoflow.jobs.sort.run import run as run_sort
from cryoflow.project.context import JobContext
from cryoflow.spec import parse_spec

pytestmark = [pytest.mark.reference, pytest.mark.slow]
MICROGRAPHS = "CtfFind/job003/micrographs_ctf.star"
DIAMETER_A, PIXEL_A, BOX = 177, 1.77, 128


def table(path: Path) -> pd.DataFrame:
    rows = read_star(path)[""]
    assert isinstance(rows, pd.DataFrame)
    return rows


def auc(good: np.ndarray, bad: np.ndarray) -> float:
    order = np.sort(bad)
    return float(np.mean(np.searchsorted(order, good)) / len(bad))


def kinds(rows: pd.DataFrame, truth: Path) -> np.ndarray:
    """Kind of the nearest object within 0.35 diameters: 0 none, 1 particle, 2 broken, 3 contaminant."""
    found = np.zeros(len(rows), int)
    for name, own in rows.groupby("rlnMicrographName"):
        known = table(truth / f"{Path(str(name)).stem}.star")
        columns = [f"rlnCoordinate{axis}" for axis in "XY"]
        steps = own[columns].to_numpy()[:, None] - known[columns].to_numpy()
        distance = np.hypot(steps[..., 0], steps[..., 1])
        kind = known["truthKind"].to_numpy()[distance.argmin(1)]
        found[own.index] = np.where(distance.min(1) < 0.35 * DIAMETER_A / PIXEL_A, kind, 0)
    return found


def job(folder: Path, name: str, spec: dict[str, Any]) -> Path:
    directory = folder / name
    directory.mkdir(parents=True)
    runner = run_extract if spec["job"] == "Extract" else run_sort
    runner(parse_spec(spec), JobContext(folder, directory))
    return directory


def test_learnt_scores_tell_particles_apart(reference: Path, tmp_path: Path) -> None:
    for name in ("Micrographs", "CtfFind", "AutoPick", "Select"):
        (tmp_path / name).symlink_to(reference / "bgal" / name)
    picks = "AutoPick/job011/coords_suffix_autopick.star"
    source = {"micrograph_star_file": MICROGRAPHS, "input_coordinates": picks}
    shrink = {"particle_box_size": BOX, "rescale_particles": True, "re_scaled_size": BOX // 2}
    job(tmp_path, "Extract/job012", {"job": "Extract", "io": source, "extract": shrink})
    io = {
        "input_particles_to_be_sorted": "Extract/job012/particles.star",
        "autopicking_references": "Select/job009/class_averages.star",
    }
    wanted = {"learnt_scores": True, "particle_diameter": DIAMETER_A}
    directory = job(tmp_path, "Sort/job013", {"job": "Sort", "io": io, "scores": wanted})
    rows = table(directory / "particles_scores.star")
    kind, score = kinds(rows, reference / "bgal/truth"), rows["cryoflowLogOdds"].to_numpy()
    good = kind == 1
    assert auc(score[good], score[~good]) > 0.985
    assert auc(score[good], score[kind == 2]) > 0.87
    assert auc(score[good], score[kind == 3]) > 0.98
    hit = good[np.argsort(-score, kind="stable")]
    assert (np.cumsum(hit) / np.arange(1, len(hit) + 1))[hit].mean() > 0.96
    probability = rows["cryoflowProbability"].to_numpy()
    assert abs(probability.mean() - good.mean()) < 0.03
    accepted = rows["cryoflowQValue"] <= 0.05
    assert 0.03 < (kind[accepted] == 0).mean() < 0.07  # within 2 points of what is promised
