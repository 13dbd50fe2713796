"""Warnings of a classification: resolution from the start, averages that are alike, an odd mask."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.class2d_job import BOX, PIXEL, classify, spec
from helpers.particle_project import Listener

from cryoflow.compute.class2d import Options, State
from cryoflow.jobs.class2d.progress import ProgressReporter
from cryoflow.jobs.class2d.saved import read_saved

Y, X = np.mgrid[:BOX, :BOX] - BOX // 2


@pytest.fixture
def state(project: Path) -> State:
    classify(project, spec(1, classes=3))
    return read_saved(project / "Class2D/job015/run_it001_optimiser.star", project).state


def told(state: State, mask: float = 60.0) -> list[str]:
    listener = Listener()
    reporter = ProgressReporter(listener, Options(BOX, PIXEL, mask))
    reporter.resolution(state)
    reporter.resolution(state)
    reporter.averages(state)
    return listener.warned


def looking(state: State, images: list[np.ndarray], **changes: int) -> State:
    share = torch.full((len(images),), 1 / len(images), dtype=torch.float64)
    model = state.model._replace(references=torch.from_numpy(np.stack(images)), share=share, shell=5)
    return state._replace(model=model, iteration=25)._replace(**changes)


def bar(angle: float) -> np.ndarray:
    along, across = X * np.cos(angle) + Y * np.sin(angle), Y * np.cos(angle) - X * np.sin(angle)
    return np.exp(-(along**2) / 30 - across**2 / 6)


@pytest.mark.parametrize(("iteration", "shell", "warned"), [(1, 11, 1), (3, 12, 1), (4, 12, 0), (2, 10, 0)])
def test_nyquist_in_the_first_iterations(state: State, iteration: int, shell: int, warned: int) -> None:
    model = state.model._replace(shell=shell)
    lines = told(state._replace(model=model, iteration=iteration))
    assert len(lines) == warned
    assert all("is next to Nyquist (8 A) already" in line for line in lines)


def test_averages_that_are_alike(state: State) -> None:
    (line,) = told(looking(state, [bar(0), bar(0.05), bar(0.1), bar(0.05)]))
    assert line.startswith("the class averages are nearly all alike (median correlation")
    assert told(looking(state, [bar(0), bar(0.5), bar(1.0), bar(1.5)])) == []
    assert told(looking(state, [bar(0)] * 2)) == []  # two may well be alike
    assert told(looking(state, [bar(0)] * 4, iteration=4)) == []  # so far they are


def test_masks_that_do_not_fit(state: State) -> None:
    wide = [np.exp(-(np.hypot(X - dx, Y - dy) ** 2) / 60) for dx, dy in ((3, 0), (-3, 0), (0, 4), (0, -4))]
    (small,) = told(looking(state, wide), mask=40)
    assert "mask diameter of 40 A seems to cut the particle" in small
    dots = [np.exp(-((X - dx) ** 2 + Y**2) / 2) for dx in (-1.5, 0, 1.5)]
    (large,) = told(looking(state, dots), mask=96)
    assert "mask diameter of 96 A is much larger than the particle" in large


def test_the_job_reports_them(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cryoflow.jobs.class2d.progress.median_correlation", lambda *_: 0.99)
    monkeypatch.setattr("cryoflow.jobs.class2d.progress.FEWEST", 1)
    _, listener = classify(project, spec(5, classes=3, optimization={"grow_classes": False}))
    assert any("nearly all alike (median correlation 0.99)" in line for line in listener.warned)
