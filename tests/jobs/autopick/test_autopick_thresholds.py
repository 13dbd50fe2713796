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


def test_a_threshold_below_one_that_picks_more_is_warned_of(project: Path) -> None:
    """Noise peaks within the distance of each other drop each other, and particles with them."""
    near = {"autopicking__minimum_inter_particle_distance": 70, "autopicking__candidate_floor": 0.0}
    low, lines = pick(project, "job010", autopicking__picking_threshold=0.0, **near)
    (warning,) = [line for line in lines if "picks fewer" in line]
    assert f"threshold 0 picks fewer ({low.counts['particles']}) than " in warning
    better, count = warning.partition(" than ")[2].partition(")")[0].split(" (")
    high, _ = pick(project, "job011", autopicking__picking_threshold=float(better), **near)
    assert high.counts["particles"] == int(count) > low.counts["particles"]


def test_ncc_and_thresholds_that_pick_the_most_are_not_warned_of(project: Path) -> None:
    near = {"autopicking__minimum_inter_particle_distance": 150, "autopicking__picking_threshold": 0.0}
    _, lines = pick(project, "job010", autopicking__figure_of_merit="ncc", **near)
    _, more = pick(project, "job011")
    assert not [line for line in lines + more if "picks fewer" in line]
    fewer = [OtherThresholds(torch.zeros(0), (90, 50, 20, 5, 0))] * 2
    assert merging_warning(spec(), fewer, 200) is None
