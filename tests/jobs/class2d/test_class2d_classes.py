"""Classes that grow in number, become empty or collapse."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.class2d_job import BOX, PIXEL, classify, shares, spec
from helpers.particle_project import Listener

from cryoflow.compute.class2d import Options, State
from cryoflow.files.mrc import read_stack
from cryoflow.files.star import read_star
from cryoflow.jobs.class2d.output import Run, write_iteration
from cryoflow.jobs.class2d.progress import ProgressReporter
from cryoflow.jobs.class2d.saved import read_saved
from cryoflow.spec import Class2D


def with_shares(project: Path, *shares: float) -> State:
    classify(project, spec(1, classes=len(shares)))
    state = read_saved(project / "Class2D/job015/run_it001_optimiser.star", project).state
    return state._replace(model=state.model._replace(share=torch.tensor(shares).double()))


def test_collapse_is_warned_of_once(project: Path) -> None:
    state, listener = with_shares(project, 0.19, 0.81), Listener()
    teller = ProgressReporter(listener, Options(BOX, PIXEL, 60))
    teller.classes(state)
    teller.classes(state)
    (line,) = listener.warned
    assert line.startswith("class 2 holds 81 % of the particles")


def test_classes_that_become_empty_are_warned_of(project: Path) -> None:
    state, listener = with_shares(project, 0.6, 0.0, 0.4, 0.0), Listener()
    teller = ProgressReporter(listener, Options(BOX, PIXEL, 60))
    teller.classes(state)
    teller.classes(state)
    teller.classes(
        state._replace(model=state.model._replace(share=torch.tensor([1.0, 0, 0, 0]).double() / 2))
    )
    one, other = listener.warned
    assert "no particle is left in class 2, 4;" in one and "no particle is left in class 3;" in other


def test_an_empty_class_is_flagged_or_reseeded(project: Path) -> None:
    """Of 24 particles, the start leaves classes without any."""
    given = spec(2, classes=24)
    _, listener = classify(project, given)
    folder = project / "Class2D/job015"
    blocks = read_star(folder / "run_it002_classes.star")["classes"]
    assert isinstance(blocks, pd.DataFrame)
    empty = np.flatnonzero(blocks["cryoflowEmpty"])
    assert len(empty) and (blocks["cryoflowHardCount"].to_numpy()[empty] == 0).all()
    assert not read_stack(folder / "run_it002_classes.mrcs")[empty].any()
    assert any("no particle is left in class" in line for line in listener.warned)
    classify(project, spec(2, classes=24, optimization={"reseed_empty_classes": True}), "job016")
    seeded = read_saved(project / "Class2D/job016/run_it001_optimiser.star", project).state.model
    assert float(seeded.share.min()) > 0 and float(seeded.share.sum()) == pytest.approx(1, abs=1e-4)
    assert (seeded.references.abs().amax((1, 2)) > 0).all()


def test_classes_grow_in_number_without_warnings(project: Path) -> None:
    """Six classes in 10 iterations: 2 times 3 ** (i / 4), rounded up, in use after iteration i."""
    given = spec(10, classes=6)
    _, listener = classify(project, given)
    used = [int((shares(project, "job015", i) > 0).sum()) for i in range(9)]
    assert used == [2, 3, 4, 5, 6, 6, 6, 6, 6]
    assert not any("no particle is left" in line and "iteration 10" not in line for line in listener.warned)
    assert "3 of 6 in use" in listener.said[1]
    classify(project, spec(10, classes=6, optimization={"grow_classes": False}), "job016")
    assert shares(project, "job016", 0) == pytest.approx([1 / 6] * 6, abs=1e-6)


class Killed(Exception):
    """Stands for a signal."""


def classify_until(
    project: Path, given: Class2D, job: str, last: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Classify, and be killed after an iteration written whole."""

    def killed(files: Run, state: State) -> list[Path]:
        paths = write_iteration(files, state)
        if state.iteration == last:
            raise Killed
        return paths

    with monkeypatch.context() as patch:
        patch.setattr("cryoflow.jobs.class2d.run.write_iteration", killed)
        with pytest.raises(Killed):
            classify(project, given, job)


@pytest.mark.parametrize("last", [2, 3, 6])
def test_a_run_killed_while_growing_comes_to_the_same_bytes(
    project: Path, monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    """In the middle of growing, and when small classes are filled."""
    given = spec(8, classes=6)
    classify(project, given)
    classify_until(project, given, "job016", last, monkeypatch)
    classify(project, given, "job016", continuing=True)
    for name in ("run_it008_classes.mrcs", "run_it008_classes.star"):
        one, other = (project / f"Class2D/{job}/{name}" for job in ("job015", "job016"))
        assert one.read_bytes().replace(b"job015", b"job016") == other.read_bytes()


@pytest.mark.parametrize("iterations", [5, 6])
@pytest.mark.parametrize("inside", [True, False])
def test_a_run_killed_while_growing_uses_all_classes_when_it_is_cut_short(
    project: Path, monkeypatch: pytest.MonkeyPatch, iterations: int, inside: bool
) -> None:
    """Where growth is over by then, and so is the filling of small classes."""
    classify_until(project, spec(20, classes=6), "job015", 4, monkeypatch)
    assert (shares(project, "job015", 4) > 0).sum() == 4
    if inside:
        classify(project, spec(iterations, classes=6), continuing=True)
    else:
        io = {"input_images_star_file": None, "continue_from_here": "Class2D/job015/run_it004_optimiser.star"}
        classify(project, spec(iterations, classes=6, io=io), "job016")
    name = "job015/run_it005" if inside else "job016/run_ct4_it005"
    model = read_star(project / f"Class2D/{name}_model.star")["model_classes"]
    assert isinstance(model, pd.DataFrame)
    assert (model["rlnClassDistribution"] > 0).all()
