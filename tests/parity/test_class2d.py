"""One iteration from RELION 3.0.8's own state against its next one, and the start."""

from pathlib import Path

import pytest
import torch

from cryoflow.files.star import read_star
from cryoflow.jobs.class2d.run import run
from cryoflow.jobs.class2d.saved import read_saved
from cryoflow.project.context import JobContext
from cryoflow.spec import Class2D, parse_spec
from parity.class2d import BGAL, CASES, agreement, first_noise, step
from parity.particles import extract_again

pytestmark = pytest.mark.reference


@pytest.mark.parametrize(("case", "iteration"), [(case, i) for case, steps in CASES.items() for i in steps])
def test_next_iteration_is_relions(reference: Path, case: str, iteration: int) -> None:
    found = agreement(*step(reference / "mini", case, iteration, torch.float32))
    assert found.frc > 0.999
    assert found.averages < 0.05  # of a class with hardly any particle; RELION leaves out the lightest 0.1 %
    assert found.noise < 2e-3 and found.likelihood < 1e-5
    assert found.share < 1e-3 and found.offset_variance < 1e-2 and found.scale < 1e-3 and found.norm < 1e-3
    assert found.sizes_equal and found.significant < 0.5
    assert min(found.classes, found.psi, found.offsets) > 0.97


@pytest.fixture(scope="module")
def bgal(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return extract_again(reference / "bgal", "job007", tmp_path_factory.mktemp("bgal"))


@pytest.mark.parametrize("iteration", BGAL)
def test_next_iteration_is_relions_on_hundreds_of_particles(bgal: Path, iteration: int) -> None:
    """Eight classes and groups; poses are uncertain for all at iteration 5, and for 193 of 520 at 19."""
    found = agreement(*step(bgal, "job008", iteration, torch.float32))
    assert found.frc > 0.9999 and found.averages < 1e-3
    assert found.noise < 2e-3 and found.likelihood < 1e-5
    assert found.share < 1e-3 and found.offset_variance < 1e-2 and found.scale < 1e-3 and found.norm < 1e-3
    assert found.sizes_equal and found.significant < 0.5
    assert found.certain == {5: 0, 19: 327}[iteration]
    assert min(found.classes, found.psi, found.offsets) >= 0.99


def test_own_files_begin_as_relions_and_have_its_columns(reference: Path, tmp_path: Path) -> None:
    """From the same particles: another random start, so that only what does not depend on it is equal."""
    for place in (reference / "mini").iterdir():
        (tmp_path / place.name).symlink_to(place)
    theirs = tmp_path / "parity/class2d_k3"
    ours = tmp_path / "Class2D/job015"
    ours.mkdir(parents=True)
    given = {
        "job": "Class2D",
        "io": {"input_images_star_file": "parity/class2d_k3/run_it000_data.star"},
        "optimization": {"number_of_classes": 3, "number_of_iterations": 1},
    }
    spec = parse_spec(given)
    assert isinstance(spec, Class2D)
    run(spec, JobContext(tmp_path, ours))
    for what in ("data", "model", "optimiser", "sampling"):
        mine, relions = (read_star(folder / f"run_it001_{what}.star") for folder in (ours, theirs))
        assert list(mine) == list(relions)
        for name, block in relions.items():
            assert list(mine[name]) == list(block)
    for what, block in (("model", "model_general"), ("optimiser", "optimiser_general")):
        mine, relions = (read_star(folder / f"run_it000_{what}.star")[block] for folder in (ours, theirs))
        assert isinstance(mine, dict) and isinstance(relions, dict)
        different = {label for label, value in relions.items() if mine[label] != value}
        assert {label for label in different if "File" not in label} <= {
            "rlnCurrentResolution", "rlnBestResolutionThusFar",  # RELION says inf before the first iteration
            "rlnOutputRootName", "rlnRandomSeed", "rlnNumberOfIterations",
        }  # fmt: skip


def test_first_noise_is_relions(reference: Path) -> None:
    assert first_noise(reference / "mini", "class2d_k3") < 1e-4


def test_states_of_later_versions_are_read(reference: Path) -> None:
    saved = read_saved(reference / "bgal/Class2D/job015/run_it025_optimiser.star", reference / "bgal")
    assert (saved.state.iteration, saved.state.current_size) == (25, 52)
    assert saved.options.offset_range_px == pytest.approx(
        5
    ) and saved.options.offset_step_px == pytest.approx(2)
    assert saved.state.model.references.shape == (20, 64, 64)
    assert saved.state.model.offset_variance == pytest.approx((7.792477 / 3.54) ** 2)
    assert saved.state.model.noise.shape == (8, 33) and float(saved.state.model.noise.min()) > 1e-5
    assert float(saved.state.particles.offset_px.abs().max()) < 20
