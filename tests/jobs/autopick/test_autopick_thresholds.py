"""Thresholds that a picking job proposes, and its warning where a higher threshold picks more."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.autopick_job import pick, spec

from cryoflow.files.coordinates import read_coordinates
from cryoflow.files.star import Block, read_star, table_block
from cryoflow.jobs.autopick.picker import OtherThresholds
from cryoflow.jobs.autopick.q_values import Judged
from cryoflow.jobs.autopick.thresholds import (
    merging_warning,
    proposal_lines,
    propose_thresholds,
    write_thresholds,
)
from cryoflow.view.pick_statistics import _proposed_histogram

FOM = "rlnAutopickFigureOfMerit"
NCC = {"autopicking__figure_of_merit": "ncc", "autopicking__picking_threshold": 0.5}


def blocks(project: Path, job: str) -> dict[str, Block]:
    return read_star(project / "AutoPick" / job / "thresholds.star")


def two_modes() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate((rng.normal(0.3, 0.05, 800), rng.normal(0.8, 0.08, 400)))


def test_peaks_are_the_picks_that_the_floor_would_give(project: Path) -> None:
    pick(project, "job010", **NCC)
    pick(project, "job011", **NCC | {"autopicking__picking_threshold": 0.3})
    high, low = (blocks(project, job)["histogram"] for job in ("job010", "job011"))
    assert isinstance(high, pd.DataFrame) and isinstance(low, pd.DataFrame)
    pd.testing.assert_frame_equal(high, low)
    files = (project / "AutoPick/job011/Movies").glob("*_autopick.star")
    fom = np.concatenate([read_coordinates(path)["rlnAutopickFigureOfMerit"] for path in files])
    assert high["cryoflowPeaks"].sum() == len(fom)
    middles = high["rlnAutopickFigureOfMerit"].to_numpy()
    mean = (high["cryoflowPeaks"] * middles).sum() / len(fom)
    assert mean == pytest.approx(fom.mean(), abs=middles[1] - middles[0])


def test_proposals_are_reported_written_and_drawn(tmp_path: Path) -> None:
    peaks = two_modes()
    judged = Judged(Path(), {"noise": {}, "shape": {}}, 0.45, peaks[:300])
    others = [OtherThresholds(torch.from_numpy(part), ()) for part in np.array_split(peaks, 3)]
    proposed = propose_thresholds(others, judged)
    assert proposed.valley and 0.42 < proposed.valley.threshold < 0.6 and proposed.valley.depth > 0.8
    valley, q_value = proposal_lines(proposed, 0.3, True)
    assert f"proposed threshold {proposed.valley.threshold:.3g}: the valley" in valley
    assert "proposed threshold 0.45: picks above have q-values of at most 0.05 (picked at 0.3)" in q_value
    write_thresholds(tmp_path / "thresholds.star", proposed)
    shown = _proposed_histogram(tmp_path / "thresholds.star")
    assert shown is not None
    assert [sum(counts) for _, counts in shown.series] == [1200, 300]
    assert [place for _, place in shown.marks] == pytest.approx([proposed.valley.threshold, 0.45], abs=1e-5)


def test_one_mode_and_no_sure_pick_are_said(tmp_path: Path) -> None:
    peaks = torch.from_numpy(two_modes()[:800])
    judged = Judged(Path(), {"noise": {}, "shape": {}}, None, np.zeros(0))
    proposed = propose_thresholds([OtherThresholds(peaks, ())], judged)
    assert proposal_lines(proposed, 0.3, True) == [
        "no threshold to propose: the histogram of the figures of merit has no clear valley",
        "no pick has a q-value of at most 0.05",
    ]
    write_thresholds(tmp_path / "thresholds.star", proposed)
    table = table_block(tmp_path, read_star(tmp_path / "thresholds.star"), "thresholds")
    assert not len(table)


def test_a_threshold_that_loses_the_picks_of_a_higher_one_is_warned_of(project: Path) -> None:
    """Noise peaks within the distance of each other drop each other, and particles with them."""
    near = {"autopicking__minimum_inter_particle_distance": 70, "autopicking__candidate_floor": 0.0}
    _, lines = pick(project, "job010", autopicking__picking_threshold=0.0, **near)
    (warning,) = [line for line in lines if "threshold 0 loses" in line]
    lost, picked = (int(word) for word in warning.partition("loses ")[2].split(" picks")[0].split(" of the "))
    better = warning.partition("picks of threshold ")[2].partition(":")[0]
    high, _ = pick(project, "job011", autopicking__picking_threshold=float(better), **near)
    files = (project / "AutoPick/job010/Movies").glob("*_autopick.star")
    kept = sum((read_coordinates(path)[FOM] >= float(better)).sum() for path in files)
    assert high.counts["particles"] == picked and picked - kept == lost > 4


def test_ncc_and_thresholds_that_lose_nothing_are_not_warned_of(project: Path) -> None:
    near = {"autopicking__minimum_inter_particle_distance": 150, "autopicking__picking_threshold": 0.0}
    _, lines = pick(project, "job010", autopicking__figure_of_merit="ncc", **near)
    assert not [line for line in lines if " loses " in line]
    few = [OtherThresholds(torch.zeros(0), (90, 50), (88, 47))] * 2
    many = [OtherThresholds(torch.zeros(0), (90, 50), (88, 40))] * 2
    assert merging_warning(spec(), few * 0) is None
    assert merging_warning(spec(), few[:1]) is None
    warning = merging_warning(spec(), many)
    assert warning and "threshold 0.3 loses 20 of the 100 picks of threshold 0.5" in warning
