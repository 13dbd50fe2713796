"""What Class2D writes, and what it depends on."""

import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.class2d_job import BOX, EACH, PIXEL, change, classify, spec

from cryoflow.compute.class2d.classify import subset_of
from cryoflow.files.mrc import read_stack
from cryoflow.files.star import read_star, write_star
from cryoflow.files.tables import read_particles
from cryoflow.jobs.class2d.run import run_plan


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
    fast = run_plan(spec(25, classes=3, optimization={"use_fast_subsets": True}))
    sizes = [None if (s := subset_of(fast, seeds, i)) is None else len(s) for i in (1, 5, 6, 10, 11, 15, 16)]
    assert sizes == [300, 300, 900, 900, 1500, 1500, None]
    one, other = subset_of(fast, seeds, 1), subset_of(fast, seeds, 2)
    assert one is not None and other is not None and not torch.equal(one, other)
    assert subset_of(run_plan(spec(25)), seeds, 1) is None
