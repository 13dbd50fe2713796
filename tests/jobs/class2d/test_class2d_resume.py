"""What Class2D saves is read back, and a run resumes from it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.class2d_job import BOX, PIXEL, classify, spec

from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.mrc import read_stack, write_mrc
from cryoflow.files.star import read_star, write_star
from cryoflow.files.tables import read_particles
from cryoflow.jobs.class2d.saved import read_saved


def test_what_is_written_is_read_back(project: Path) -> None:
    classify(project, spec())
    path = project / "Class2D/job015/run_it002_optimiser.star"
    saved = read_saved(path, project)
    assert saved.state.iteration == 2 and saved.options.mask_diameter_a == 60
    assert saved.options.psi_step_deg == 40 and saved.options.offset_range_px == 2
    assert saved.group_names == ("Movies/mic1.mrc", "Movies/mic2.mrc")
    assert saved.state.model.noise.shape == (2, BOX // 2 + 1)


@pytest.mark.parametrize(
    ("kind", "label", "message"),
    [
        ("optimiser", "rlnParticleDiameter", "it001_optimiser.star: lacks rlnParticleDiameter"),
        ("model", "rlnTau2FudgeFactor", "it001_model.star: lacks rlnTau2FudgeFactor"),
        ("model", "rlnClassDistribution", "it001_model.star: data_model_classes lacks rlnClassDistribution"),
        ("model", "rlnSigma2Noise", "it001_model.star: data_model_group_1 lacks rlnSigma2Noise"),
    ],
)
def test_saved_files_that_lack_something_say_which_and_what(
    project: Path, kind: str, label: str, message: str
) -> None:
    classify(project, spec(1))
    path = project / f"Class2D/job015/run_it001_{kind}.star"
    path.write_text(path.read_text().replace(f"_{label}", "_rlnSomethingElse"))
    with pytest.raises(FileError, match=message):
        read_saved(project / "Class2D/job015/run_it001_optimiser.star", project)


@pytest.mark.parametrize("inside", [True, False])
def test_goes_on_where_it_was_left(project: Path, inside: bool) -> None:
    """In its own directory after being killed, or from another job's optimiser file."""
    classify(project, spec(4))
    whole = read_particles(project / "Class2D/job015/run_it004_data.star").rows
    classify(project, spec(2), "job016")
    if inside:
        half_written = project / "Class2D/job016/run_it003_data.star"
        half_written.write_text("data_\n")
        classify(project, spec(4), "job016", continuing=True)
        later = read_particles(project / "Class2D/job016/run_it004_data.star").rows
    else:
        io = {"input_images_star_file": None, "continue_from_here": "Class2D/job016/run_it002_optimiser.star"}
        result, _ = classify(project, spec(4, io=io), "job017")
        later = read_particles(project / "Class2D/job017/run_ct2_it004_data.star").rows
        assert "Class2D/job016/run_it002_model.star" in result.inputs
    assert (later["rlnClassNumber"] == whole["rlnClassNumber"]).mean() > 0.9
    assert np.allclose(later["rlnLogLikeliContribution"], whole["rlnLogLikeliContribution"], rtol=1e-3)
    root = "job016/run" if inside else "job017/run_ct2"
    table = read_star(project / f"Class2D/{root}_convergence.star")["convergence"]
    assert isinstance(table, pd.DataFrame)
    assert table["rlnCurrentIteration"].tolist() == ([1, 2, 3, 4] if inside else [3, 4])


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_killed_run_comes_to_the_same_convergence(project: Path, rows: int) -> None:
    """Whatever the table has when the run is taken up again."""
    classify(project, spec(4))
    classify(project, spec(2), "job016")
    table = project / "Class2D/job016/run_convergence.star"
    if rows == 0:
        table.unlink()
    elif rows == 2:
        more = read_star(table)["convergence"]
        assert isinstance(more, pd.DataFrame)
        write_star(table, {"convergence": pd.concat([more, more.assign(rlnCurrentIteration=[3, 4])])})
    classify(project, spec(4), "job016", continuing=True)
    found = read_star(table)["convergence"]
    assert isinstance(found, pd.DataFrame)
    assert found["rlnCurrentIteration"].tolist() == ([3, 4] if rows == 0 else [1, 2, 3, 4])


def test_continuing_with_another_number_of_classes_is_refused(project: Path) -> None:
    classify(project, spec(1))
    io = {"continue_from_here": "Class2D/job015/run_it001_optimiser.star"}
    with pytest.raises(CryoflowError, match="has 2 classes; set the number of classes to that, not 3"):
        classify(project, spec(2, classes=3, io=io), "job016")


@pytest.mark.parametrize("inside", [True, False])
def test_a_run_does_not_continue_without_particles_it_started_with(project: Path, inside: bool) -> None:
    classify(project, spec(1))
    stack = project / "Extract/job012/Movies/mic1.mrcs"
    images = read_stack(stack)
    images[3, 4, 5] = np.nan
    write_mrc(stack, images, PIXEL)
    io = {"input_images_star_file": None, "continue_from_here": "Class2D/job015/run_it001_optimiser.star"}
    with pytest.raises(
        CryoflowError, match=r"^000004@.*mic1.mrcs: its image has values that are not finite .* started with"
    ):
        classify(project, spec(2) if inside else spec(2, io=io), "job015" if inside else "job016", inside)


@pytest.mark.parametrize("kept", [b"", b"no state", {"iteration": 1}, {"model": {"no": 1}}])
def test_a_state_of_another_version_is_told(project: Path, kept: bytes | dict[str, Any]) -> None:
    classify(project, spec(1))
    path = project / "Class2D/job015/.run_it001_state.pt"
    if isinstance(kept, bytes):
        path.write_bytes(kept)
    else:
        torch.save(kept, path)
    with pytest.raises(FileError, match=r"\.run_it001_state\.pt: was not written by this version; remove it"):
        classify(project, spec(2), continuing=True)
    path.unlink()
    classify(project, spec(2), continuing=True)
    assert (project / "Class2D/job015/run_it002_optimiser.star").exists()
