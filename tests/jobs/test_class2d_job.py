"""Class2D as a job: files in, files out, and what it says to bad input."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.particle_project import Listener

from cryoflow.compute.class2d import Options, State
from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.mrc import read_stack, write_mrc
from cryoflow.files.star import read_star, write_star
from cryoflow.files.tables import read_particles
from cryoflow.jobs.class2d.output import Run, write_iteration
from cryoflow.jobs.class2d.progress import ProgressReporter
from cryoflow.jobs.class2d.run import run
from cryoflow.jobs.class2d.saved import read_saved
from cryoflow.jobs.class2d.subsets import subset_of
from cryoflow.project.context import JobContext, JobResult
from cryoflow.spec import Class2D, parse_spec

BOX, EACH = 24, 12
PIXEL = 4.0


def blobs(rng: np.random.Generator, number: int) -> np.ndarray:
    """Bars at random angles in noise, background of mean 0 and deviation 1."""
    y, x = np.mgrid[:BOX, :BOX] - BOX // 2
    angle = rng.uniform(0, np.pi, number)[:, None, None]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    images = 3 * np.exp(-((along - 2) ** 2) / 30 - across**2 / 6) + rng.normal(size=(number, BOX, BOX))
    return images.astype(np.float32)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two stacks of twelve particles and their table."""
    rng = np.random.default_rng(5)
    rows = []
    for mic in (2, 1):
        stack = f"Extract/job012/Movies/mic{mic}.mrcs"
        (tmp_path / stack).parent.mkdir(parents=True, exist_ok=True)
        write_mrc(tmp_path / stack, blobs(rng, EACH), PIXEL)
        rows += [
            {
                "rlnImageName": f"{i + 1:06d}@{stack}",
                "rlnMicrographName": f"MotionCorr/job002/Movies/mic{mic}.mrc",
            }
            for i in range(EACH)
        ]
    table = pd.DataFrame(rows).assign(
        rlnDefocusU=10000.0, rlnVoltage=200.0, rlnSphericalAberration=1.4, rlnAmplitudeContrast=0.1,
        rlnMagnification=10000.0, rlnDetectorPixelSize=PIXEL, rlnOriginX=0.0, rlnOriginY=0.0,
    )  # fmt: skip
    write_star(tmp_path / "Extract/job012/particles.star", {"": table})
    return tmp_path


def spec(iterations: int = 2, classes: int = 2, **sections: Any) -> Class2D:
    plain: dict[str, Any] = {
        "job": "Class2D",
        "io": {"input_images_star_file": "Extract/job012/particles.star"},
        "optimization": {
            "number_of_classes": classes,
            "number_of_iterations": iterations,
            "mask_diameter": 60,
        },
        "sampling": {"in_plane_angular_sampling": 20, "offset_search_range": 2},
    }
    for name, changed in sections.items():
        plain[name] = {**plain.get(name, {}), **changed}
    made = parse_spec(plain)
    assert isinstance(made, Class2D)
    return made


def classify(
    project: Path, given: Class2D, job: str = "job015", continuing: bool = False
) -> tuple[JobResult, Listener]:
    directory = project / "Class2D" / job
    directory.mkdir(parents=True, exist_ok=True)
    listener = Listener()
    return run(given, JobContext(project, directory, report=listener, continuing=continuing)), listener


def change(project: Path, **columns: Any) -> None:
    path = project / "Extract/job012/particles.star"
    table = read_particles(path).rows.assign(**columns)
    write_star(path, {"": table.drop(columns=[c for c in columns if columns[c] is None])})


def test_writes_every_iteration_under_relions_names(project: Path) -> None:
    result, listener = classify(project, spec())
    folder = project / "Class2D/job015"
    kinds = ["classes.mrcs", "classes.star", "data.star", "model.star", "optimiser.star", "sampling.star"]
    expected = [f"run_it{i:03d}_{kind}" for i in range(3) for kind in kinds]
    for kind in ("classes.star", "sampling.star"):
        expected.remove(f"run_it000_{kind}")
    expected.insert(0, "run_convergence.star")
    assert sorted(p.name for p in folder.iterdir()) == expected
    assert sorted(result.outputs) == [f"Class2D/job015/{name}" for name in expected]
    memory, first, _ = listener.said
    assert memory.startswith("memory at most ") and first.startswith("iteration 1: ")
    model = read_star(folder / "run_it002_model.star")
    classes = model["model_classes"]
    assert isinstance(classes, pd.DataFrame)
    assert classes["rlnReferenceImage"].tolist()[1] == "000002@Class2D/job015/run_it002_classes.mrcs"
    assert classes["rlnClassDistribution"].sum() == pytest.approx(1, abs=1e-5)
    averages = read_stack(folder / "run_it002_classes.mrcs")
    assert averages.shape == (2, BOX, BOX) and np.isfinite(averages).all()
    groups = model["model_groups"]
    assert isinstance(groups, pd.DataFrame)
    assert groups["rlnGroupName"].tolist() == ["Movies/mic1.mrc", "Movies/mic2.mrc"]
    data = read_particles(folder / "run_it002_data.star").rows
    assert (
        data["rlnImageName"].tolist()
        == read_particles(project / "Extract/job012/particles.star").rows["rlnImageName"].tolist()
    )
    assert data["rlnGroupNumber"].tolist() == [2] * EACH + [1] * EACH
    assert set(data["rlnClassNumber"]) <= {1, 2}
    optimiser = read_star(folder / "run_it002_optimiser.star")["optimiser_general"]
    assert isinstance(optimiser, dict)
    assert optimiser["rlnModelStarFile"] == "Class2D/job015/run_it002_model.star"
    assert result.counts["particles"] == 2 * EACH


def test_classes_are_told_with_hard_counts_and_halves(project: Path) -> None:
    change(project, rlnClassNumber=7)  # of the references that they were picked with
    classify(project, spec(6, classes=3))
    folder = project / "Class2D/job015"
    assert set(read_particles(folder / "run_it000_data.star").rows["rlnClassNumber"]) == {0}
    said = [read_star(folder / f"run_it{i:03d}_classes.star") for i in range(1, 7)]
    assert [len(blocks) for blocks in said] == [1, 1, 1, 1, 2, 2]
    classes, correlations = said[-1]["classes"], said[-1]["class_frc"]
    assert isinstance(classes, pd.DataFrame) and isinstance(correlations, pd.DataFrame)
    members = read_particles(folder / "run_it006_data.star").rows["rlnClassNumber"]
    counts = [int((members == k).sum()) for k in (1, 2, 3)]
    assert classes["cryoflowHardCount"].tolist() == counts and sum(counts) == 2 * EACH
    assert (classes["cryoflowEmpty"] == (classes["rlnClassDistribution"] == 0)).all()
    halves = classes[["cryoflowHalf1", "cryoflowHalf2"]].to_numpy().sum(1)
    assert np.allclose(halves / halves.sum(), classes["rlnClassDistribution"], atol=1e-5)
    for k in (1, 2, 3):
        rows = correlations[correlations["rlnClassNumber"] == k]
        agree = (rows["cryoflowFrc"].to_numpy()[1:] >= 0.143).cumprod().sum()
        resolution = BOX * PIXEL / agree if agree else np.inf
        assert classes["cryoflowFrcResolution"][k - 1] == pytest.approx(resolution, rel=1e-5)


def test_same_seed_same_bytes_another_seed_others(project: Path) -> None:
    bytes_of = []
    for job, seed in (("job015", 0), ("job016", 0), ("job017", 1)):
        classify(project, spec(compute={"seed": seed}), job)
        bytes_of.append((project / "Class2D" / job / "run_it002_classes.mrcs").read_bytes())
    assert bytes_of[0] == bytes_of[1] != bytes_of[2]


def test_order_of_particles_does_not_matter(project: Path) -> None:
    classify(project, spec())
    path = project / "Extract/job012/particles.star"
    table = read_particles(path).rows
    write_star(path, {"": table.sample(frac=1, random_state=1)})
    classify(project, spec(), "job016")
    one, other = (
        read_particles(project / f"Class2D/{j}/run_it002_data.star").rows.set_index("rlnImageName")
        for j in ("job015", "job016")
    )
    assert np.allclose(
        one["rlnLogLikeliContribution"], other.loc[one.index, "rlnLogLikeliContribution"], rtol=1e-4
    )
    assert (one["rlnClassNumber"] == other.loc[one.index, "rlnClassNumber"]).all()


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


def test_completeness_is_over_the_components_of_a_sphere(project: Path) -> None:
    classify(project, spec())
    model = read_star(project / "Class2D/job015/run_it002_model.star")
    classes = model["model_classes"]
    assert isinstance(classes, pd.DataFrame)
    for k, written in enumerate(classes["rlnOverallFourierCompleteness"], 1):
        spectra = model[f"model_class_{k}"]
        assert isinstance(spectra, pd.DataFrame)
        last = int((spectra["rlnSsnrMap"] >= 1).cumprod().sum()) - 1
        assert last > 2
        axis = range(-last - 1, last + 2)
        shells = [int(math.hypot(*point)) for point in itertools.product(axis, repeat=3)]
        inside = spectra["rlnFourierCompleteness"][[shell for shell in shells if shell <= last]]
        assert written == pytest.approx(inside.mean(), abs=1e-5)


def test_convergence_has_a_row_for_every_iteration(project: Path) -> None:
    classify(project, spec(3))
    folder = project / "Class2D/job015"
    table = read_star(folder / "run_convergence.star")["convergence"]
    assert isinstance(table, pd.DataFrame)
    for i, row in zip((1, 2, 3), table.to_dict("records"), strict=True):
        model = read_star(folder / f"run_it{i:03d}_model.star")
        optimiser = read_star(folder / f"run_it{i:03d}_optimiser.star")["optimiser_general"]
        general, classes = model["model_general"], model["model_classes"]
        assert isinstance(general, dict) and isinstance(optimiser, dict) and isinstance(classes, pd.DataFrame)
        for label, value in row.items():
            if label in general or label in optimiser:
                assert value == pytest.approx({**optimiser, **general}[label])
        share = classes["rlnClassDistribution"].to_numpy()
        assert row["cryoflowLargestClass"] == share.argmax() + 1
        assert row["cryoflowLargestDistribution"] == pytest.approx(share.max())
        assert row["cryoflowEmptyClasses"] == (share == 0).sum()
    one, other = (read_particles(folder / f"run_it00{i}_data.star").rows for i in (2, 3))
    changed = (one["rlnClassNumber"] != other["rlnClassNumber"]).mean()
    assert table["rlnChangesOptimalClasses"][2] == pytest.approx(changed, abs=1e-6)


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


def test_nan_image_is_set_aside(project: Path) -> None:
    stack = project / "Extract/job012/Movies/mic1.mrcs"
    images = read_stack(stack)
    images[3, 4, 5] = np.nan
    write_mrc(stack, images, PIXEL)
    result, _ = classify(project, spec(1))
    assert [f.item for f in result.failures] == ["000004@Extract/job012/Movies/mic1.mrcs"]
    data = read_particles(project / "Class2D/job015/run_it001_data.star").rows
    assert len(data) == 2 * EACH - 1
    assert "000004@Extract/job012/Movies/mic1.mrcs" not in set(data["rlnImageName"])


@pytest.mark.parametrize("how", ["missing", "cut", "folder", "fewer"])
def test_particles_of_a_stack_that_cannot_be_read_are_set_aside(project: Path, how: str) -> None:
    stack = project / "Extract/job012/Movies/mic1.mrcs"
    content, images = stack.read_bytes(), read_stack(stack)
    stack.unlink()
    if how == "cut":
        stack.write_bytes(content[:-1])
    elif how == "folder":
        stack.mkdir()
    elif how == "fewer":
        write_mrc(stack, images[:-1], PIXEL)
    result, _ = classify(project, spec(1))
    lost = [f"{number:06d}@Extract/job012/Movies/mic1.mrcs" for number in range(1, EACH + 1)]
    assert [failure.item for failure in result.failures] == (lost[-1:] if how == "fewer" else lost)
    why = {
        "missing": "no such file",
        "cut": "truncated: ",
        "folder": "cannot be read",
        "fewer": "its stack holds",
    }
    assert all(failure.message.startswith(why[how]) for failure in result.failures)
    kept = read_particles(project / "Class2D/job015/run_it001_data.star").rows
    assert len(kept) == 2 * EACH - len(result.failures)


@pytest.mark.parametrize("inside", [True, False])
def test_a_run_does_not_go_on_without_particles_it_began_with(project: Path, inside: bool) -> None:
    classify(project, spec(1))
    stack = project / "Extract/job012/Movies/mic1.mrcs"
    images = read_stack(stack)
    images[3, 4, 5] = np.nan
    write_mrc(stack, images, PIXEL)
    io = {"input_images_star_file": None, "continue_from_here": "Class2D/job015/run_it001_optimiser.star"}
    with pytest.raises(CryoflowError, match=r"^000004@.*mic1.mrcs: its image holds .* began with"):
        classify(project, spec(2) if inside else spec(2, io=io), "job015" if inside else "job016", inside)


def test_particle_without_defocus_is_set_aside(project: Path) -> None:
    change(project, rlnDefocusU=[1e4] * 5 + [np.nan] + [1e4] * 18)
    result, _ = classify(project, spec(1))
    (failure,) = result.failures
    assert failure.item == "000006@Extract/job012/Movies/mic2.mrcs" and "CTF columns" in failure.message
    assert len(read_particles(project / "Class2D/job015/run_it001_data.star").rows) == 2 * EACH - 1
    values = {"rlnDefocusU": 1e4, "rlnVoltage": [0.0, -2000.0, *[200.0] * 22]}
    change(project, **values, rlnAmplitudeContrast=[*[0.1] * 23, 10.0])
    result, _ = classify(project, spec(1))
    assert [failure.item.partition("@")[0] for failure in result.failures] == ["000001", "000002", "000012"]
    change(project, rlnDefocusU=np.nan)
    result, _ = classify(project, spec(1, ctf={"do_ctf_correction": False}), "job016")
    assert not result.failures


def test_images_that_are_not_normalised_are_told_with_numbers(project: Path) -> None:
    stack = project / "Extract/job012/Movies/mic1.mrcs"
    write_mrc(stack, read_stack(stack) * 3 + 10, PIXEL)
    _, listener = classify(project, spec(1))
    (line,) = [w for w in listener.warned if "not normalised" in w]
    assert line.startswith("12 of 24 images") and "means go from" in line


def test_too_little_memory_is_warned_of_with_numbers(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cryoflow.jobs.class2d.memory_check.free_bytes", lambda: 3e6)
    _, listener = classify(project, spec(1))
    (line,) = listener.warned
    assert "only 0.003 GB of memory are free" in line and "fewer threads or classes" in line


def test_small_groups_are_warned_of(project: Path) -> None:
    change(project, rlnMicrographName=["a.mrc"] * 5 + ["b.mrc"] * 19)
    _, listener = classify(project, spec(1))
    assert any("1 of 2 groups have fewer than 10 particles, e.g. a.mrc with 5" in w for w in listener.warned)


def with_shares(project: Path, *shares: float) -> State:
    classify(project, spec(1, classes=len(shares)))
    state = read_saved(project / "Class2D/job015/run_it001_optimiser.star", project).state
    return state._replace(model=state.model._replace(share=torch.tensor(shares).double()))


def test_collapse_is_warned_of_once(project: Path) -> None:
    state, listener = with_shares(project, 0.05, 0.95), Listener()
    teller = ProgressReporter(listener, Options(BOX, PIXEL, 60), 2)
    teller.classes(state)
    teller.classes(state)
    (line,) = listener.warned
    assert line.startswith("class 2 holds 95 % of the particles")


def test_classes_that_become_empty_are_warned_of(project: Path) -> None:
    state, listener = with_shares(project, 0.6, 0.0, 0.4, 0.0), Listener()
    teller = ProgressReporter(listener, Options(BOX, PIXEL, 60), 3)
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


def shares(project: Path, job: str, iteration: int) -> np.ndarray:
    model = read_star(project / f"Class2D/{job}/run_it{iteration:03d}_model.star")["model_classes"]
    assert isinstance(model, pd.DataFrame)
    return model["rlnClassDistribution"].to_numpy()


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


@pytest.mark.parametrize("kept", [b"", b"no state", {"iteration": 1}, {"model": {"no": 1}}])
def test_a_state_of_another_version_is_told(project: Path, kept: bytes | dict[str, Any]) -> None:
    classify(project, spec(1))
    path = project / "Class2D/job015/.run_it001_state.pt"
    if isinstance(kept, bytes):
        path.write_bytes(kept)
    else:
        torch.save(kept, path)
    with pytest.raises(FileError, match=r"\.run_it001_state\.pt: holds no state of this version; remove it"):
        classify(project, spec(2), continuing=True)
    path.unlink()
    classify(project, spec(2), continuing=True)
    assert (project / "Class2D/job015/run_it002_optimiser.star").exists()


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


BAD = {
    "no rows": "holds no particles to classify",
    "too many classes": r"fewer particles \(24\) than the 25 classes",
    "wide mask": r"boxes of 24 px are 96 A wide, less than the mask diameter of 100 A",
    "no ctf": "lacks the column rlnVoltage, and 'Do CTF-correction[?]' is Yes",
    "no stack": r"no2.mrcs: no such file in the project .*, and no other particle can be used",
    "two pixel sizes": r"several pixel sizes \(4 to 5 A\)",
    "two boxes": "boxes of 20 px where Extract/job012/Movies/mic2.mrcs has 24 px",
    "oblong": r"mic1.mrcs: images of 20 x 24 px; classification needs square, even boxes",
    "one particle": "there is only one; give several particles",
    "all the same": "all images are the same",
    "no numbers": r"000001@Extract/job012/Movies/mic2.mrcs: its CTF columns hold values that make no CTF",
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_clear_line(project: Path, case: str) -> None:
    path = project / "Extract/job012/particles.star"
    table = read_particles(path).rows
    given = spec(1)
    if case == "no rows":
        write_star(path, {"": table.iloc[:0]})
    elif case == "too many classes":
        given = spec(1, classes=25)
    elif case == "wide mask":
        given = spec(1, optimization={"mask_diameter": 100})
    elif case == "no ctf":
        write_star(path, {"": table.drop(columns="rlnVoltage")})
    elif case == "no stack":
        write_star(path, {"": table.assign(rlnImageName=table["rlnImageName"].str.replace("mic", "no"))})
    elif case == "two pixel sizes":
        write_star(path, {"": table.assign(rlnDetectorPixelSize=[4.0] * 12 + [5.0] * 12)})
    elif case in ("two boxes", "oblong"):
        stack = project / "Extract/job012/Movies/mic1.mrcs"
        write_mrc(stack, read_stack(stack)[:, : 20 if case == "two boxes" else 24, :20], PIXEL)
    elif case == "one particle":
        write_star(path, {"": table.iloc[:1]})
        given = spec(1, classes=1)
    elif case == "all the same":
        for mic in ("mic1", "mic2"):
            write_mrc(project / f"Extract/job012/Movies/{mic}.mrcs", np.ones((EACH, BOX, BOX)), PIXEL)
    else:
        write_star(path, {"": table.assign(rlnDefocusU=np.nan)})
    with pytest.raises(CryoflowError, match=BAD[case]) as error:
        classify(project, given)
    assert "\n" not in str(error.value)


def test_without_ctf_columns_and_without_alignment(project: Path) -> None:
    change(project, rlnVoltage=None, rlnDefocusU=None)
    given = spec(1, ctf={"do_ctf_correction": False}, sampling={"perform_image_alignment": False})
    classify(project, given)
    rows = read_particles(project / "Class2D/job015/run_it001_data.star").rows
    assert (rows["rlnAnglePsi"] == 0).all() and (rows["rlnOriginX"] == 0).all()


def test_particles_of_later_versions(project: Path) -> None:
    given = spec(1).model_copy(update={"star_style": "3.1"})
    classify(project, given)
    blocks = read_star(project / "Class2D/job015/run_it001_data.star")
    assert {"optics", "particles"} <= set(blocks)
    table = read_particles(project / "Class2D/job015/run_it001_data.star")
    assert table.style == "3.1" and "rlnOriginX" in table.rows


def test_exhaustive_search_looks_at_everything_and_agrees_with_the_adaptive_one(project: Path) -> None:
    classify(project, spec(3))
    classify(project, spec(3, sampling={"fine_search": "exhaustive"}), "job016")
    adaptive, exhaustive = (
        read_particles(project / f"Class2D/{job}/run_it003_data.star").rows for job in ("job015", "job016")
    )
    assert (adaptive["rlnNrOfSignificantSamples"] < exhaustive["rlnNrOfSignificantSamples"]).all()
    samples = 2 * 9 * 5  # classes, angles, shifts: all coarse ones
    assert set(exhaustive["rlnNrOfSignificantSamples"]) == {samples}
    assert (adaptive["rlnClassNumber"] == exhaustive["rlnClassNumber"]).all()
    assert np.isclose(adaptive["rlnAnglePsi"], exhaustive["rlnAnglePsi"]).mean() > 0.9  # bars lie both ways
    one, other = (
        read_stack(project / f"Class2D/{job}/run_it003_classes.mrcs") for job in ("job015", "job016")
    )
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.995


def test_fast_subsets_grow(project: Path) -> None:
    seeds = torch.from_numpy(np.random.default_rng(0).integers(0, 2**63 - 1, 5000))
    fast = spec(25, classes=3, optimization={"use_fast_subsets": True})
    sizes = [None if (s := subset_of(fast, seeds, i)) is None else len(s) for i in (1, 5, 6, 10, 11, 15, 16)]
    assert sizes == [300, 300, 900, 900, 1500, 1500, None]
    one, other = subset_of(fast, seeds, 1), subset_of(fast, seeds, 2)
    assert one is not None and other is not None and not torch.equal(one, other)
    assert subset_of(spec(25), seeds, 1) is None
