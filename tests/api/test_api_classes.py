"""Learnt scores, classification and selection on arrays against the files of Sort, Class2D and Select."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.api_project import CTF, REFERENCES, run

import cryoflow as cf
from cryoflow.files.star import read_star, write_star
from cryoflow.files.tables import read_particles
from cryoflow.launch.job.device import torch_threads
from cryoflow.simulate.options import SimulateOptions
from cryoflow.simulate.project import simulate_project
from cryoflow.spec.class2d import Optimization, Sampling

OPTIONS = SimulateOptions(
    micrographs=2, selected=1, size=(400, 400), pixel_size=3.54, particles=40, broken=0, contaminants=2,
    model="barrel", diameter=120.0, distance=120.0, snr=0.1, carbon=0.0, hot_pixels=0, references=2, seed=5,
)  # fmt: skip
PARTICLES, DATA = "Extract/job012/particles.star", "Class2D/job015/run_it004_data.star"
CLASSES: dict[str, Any] = {"classes": 3, "iterations": 4, "mask_diameter_a": 150, "psi_step_deg": 12}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whole particles and as many places of chance, extracted, scored and classified by the jobs."""
    root = tmp_path_factory.mktemp("project")
    simulate_project(root, OPTIONS)
    for number in (1, 2):
        truth = read_star(root / f"truth/mic00{number}.star")[""]
        assert isinstance(truth, pd.DataFrame)
        good = truth.loc[truth["truthKind"] == 1, ["rlnCoordinateX", "rlnCoordinateY"]] + 0.5
        chance = np.random.default_rng(number).uniform(60, 340, good.shape)
        table = pd.concat((good, pd.DataFrame(chance, columns=good.columns)), ignore_index=True)
        write_star(
            root / f"AutoPick/job011/Micrographs/mic00{number}_autopick.star",
            {"": table.assign(rlnClassNumber=1, rlnAnglePsi=0.0)},
        )
    coordinates = "AutoPick/job011/coords_suffix_autopick.star"
    (root / coordinates).write_text(f"{CTF}\n")
    io = {"micrograph_star_file": CTF, "input_coordinates": coordinates}
    run(root, "Extract/job012", {"job": "Extract", "io": io, "extract": {"particle_box_size": 48}})
    run(root, "Sort/job013", {
        "job": "Sort",
        "io": {"input_particles_to_be_sorted": PARTICLES, "autopicking_references": REFERENCES},
        "reference": {"pixel_size_in_references": 7.08},
        "scores": {"learnt_scores": True, "particle_diameter": OPTIONS.diameter},
    })  # fmt: skip
    run(root, "Class2D/job015", {
        "job": "Class2D",
        "io": {"input_images_star_file": PARTICLES},
        "optimization": {"number_of_classes": 3, "number_of_iterations": 4, "mask_diameter": 150},
        "sampling": {"in_plane_angular_sampling": 12},
        "compute": {"threads": 1},
    })  # fmt: skip
    return root


@pytest.fixture(scope="module")
def particles(project: Path) -> cf.Particles:
    return cf.read_particles(PARTICLES, project)


@pytest.fixture(scope="module")
def classification(particles: cf.Particles) -> cf.Classification:
    with torch_threads(1):  # as the job was run: sums are of as many parts as there are threads
        return cf.classify(particles, **CLASSES)


def frame(path: Path) -> pd.DataFrame:
    table = read_star(path)[""]
    assert isinstance(table, pd.DataFrame)
    return table


def test_learnt_scores_are_those_of_the_job(project: Path, particles: cf.Particles) -> None:
    table = cf.read_micrographs(CTF, project)
    references = cf.read_references(REFERENCES, project=project)
    expected = frame(project / "Sort/job013/particles_scores.star")
    found = cf.learnt_scores(particles, references, table, diameter_a=OPTIONS.diameter)
    pd.testing.assert_frame_equal(found.to_frame(), expected, check_dtype=False, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.probability, expected["cryoflowProbability"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.q_value, expected["cryoflowQValue"], rtol=1e-4, atol=1e-5)
    assert found.probability.std() > 0.1 and found.how and len(found) == len(particles)


def test_classes_are_those_of_the_job(project: Path, classification: cf.Classification) -> None:
    found, root = classification, project / "Class2D/job015"
    averages = cf.read_references("Class2D/job015/run_it004_classes.mrcs", project=project).images
    np.testing.assert_allclose(found.averages, averages, atol=1e-5)
    expected = read_particles(project / DATA).rows
    pd.testing.assert_frame_equal(found.to_frame(), expected, check_dtype=False, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(found.class_number, expected["rlnClassNumber"])
    np.testing.assert_allclose(found.psi_deg, expected["rlnAnglePsi"], atol=1e-5)
    np.testing.assert_allclose(found.origin_x, expected["rlnOriginX"], atol=1e-5)
    np.testing.assert_allclose(found.origin_y, expected["rlnOriginY"], atol=1e-5)
    convergence = read_star(root / "run_convergence.star")["convergence"]
    assert isinstance(convergence, pd.DataFrame)
    np.testing.assert_allclose(found.log_likelihood, convergence["rlnLogLikelihood"], rtol=1e-6)
    assert found.resolution_a == pytest.approx(convergence["rlnCurrentResolution"].iloc[-1], rel=1e-6)
    classes = read_star(root / "run_it004_classes.star")["classes"]
    assert isinstance(classes, pd.DataFrame)
    pd.testing.assert_frame_equal(found.classes, classes, check_dtype=False, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.share, classes["rlnClassDistribution"], atol=1e-6)
    assert len(set(np.asarray(found.class_number).tolist())) > 1


def test_classes_of_tensors_are_tensors(particles: cf.Particles) -> None:
    few = particles[::4]
    expected = cf.classify(few, classes=2, iterations=1, mask_diameter_a=150, psi_step_deg=24)
    found = cf.classify(few.to("cpu"), classes=2, iterations=1, mask_diameter_a=150, psi_step_deg=24)
    assert isinstance(found.averages, torch.Tensor) and isinstance(found.class_number, torch.Tensor)
    np.testing.assert_array_equal(found.averages.numpy(), expected.averages)


def test_selections_are_those_of_the_job(
    project: Path, particles: cf.Particles, classification: cf.Classification
) -> None:
    scores = frame(project / "Sort/job013/particles_scores.star")
    sorted_rows = read_particles(project / "Sort/job013/particles_sort.star").rows
    model = {"select_classes_from_model_star": "Class2D/job015/run_it004_model.star"}
    ranked = {"select_from_particles_star": "Sort/job013/particles_sort.star"}
    column = "rlnParticleSelectZScore"
    cases: list[tuple[dict[str, Any], dict[str, Any], cf.Selection]] = [
        (model, {"classes": [1, 3]}, cf.select(classification, classes=[1, 3])),
        (model, {"classes": [2], "invert": True}, cf.select(classification, classes={2}, invert=True)),
        (ranked, {"columns": {column: {"max": 0.6}}}, cf.select(sorted_rows, columns={column: (None, 0.6)})),
        (
            ranked,
            {"probability_min": 0.5, "q_value_max": 0.2},
            cf.select(sorted_rows, probability_min=0.5, q_value_max=0.2, scores=scores),
        ),
    ]
    for io, selection, found in cases:
        spec = {"job": "Select", "io": io, "class_options": {"re_center_the_class_averages": False}}
        run(project, "Select/job016", {**spec, "selection": selection})
        expected = read_particles(project / "Select/job016/particles.star").rows
        assert 0 < len(found) < len(particles), selection
        pd.testing.assert_frame_equal(found.to_frame(), expected, check_dtype=False, rtol=1e-5, atol=1e-5)
        assert len(particles[found.keep]) == len(found)
    in_rows = cf.select(scores, probability_min=0.5, q_value_max=0.2)
    np.testing.assert_array_equal(in_rows.keep, cases[-1][2].keep)
    assert in_rows.conditions[0].text == "cryoflowQValue <= 0.2"


def refused(match: str) -> Any:
    return pytest.raises(cf.CryoflowError, match=match)


def test_arguments_that_do_not_fit_are_refused_in_one_line(project: Path, particles: cf.Particles) -> None:
    references = cf.read_references(REFERENCES, project=project)
    table = cf.read_micrographs(CTF, project)
    with refused("micrographs: Micrographs/mic002.mrc is missing, and 0 more"):
        cf.learnt_scores(particles, references, [table[0]], diameter_a=120)
    with refused(f"labels: 3 values for {len(particles)} particles"):
        cf.learnt_scores(particles, references, table, diameter_a=120, labels=[0, 1, 1])
    with refused("labels: give 1 for good, 0 for bad"):
        cf.learnt_scores(particles, references, table, diameter_a=120, labels=np.full(len(particles), 2))
    with refused("particles: lacks the column rlnMicrographName"):
        cf.learnt_scores(particles.rows.drop(columns="rlnMicrographName"), references, table)
    with refused("classes: 500 for"):
        cf.classify(particles, classes=500)
    with refused("classes: 0; give a positive integer"):
        cf.classify(particles, classes=0)
    with refused("mask_diameter_a: 900 A exceeds the box of"):
        cf.classify(particles, classes=2, mask_diameter_a=900)
    bare = cf.Particles(particles.images, 3.54, particles.rows.drop(columns="rlnDefocusU"))
    with refused("lacks the column rlnDefocusU; give them, or set ctf_correct=False"):
        cf.classify(bare, classes=2, mask_diameter_a=150)
    broken = np.array(particles.images)
    broken[3, 4, 5] = np.inf
    with refused("particles: 1 of .* values are NaN or infinite"):
        cf.classify(cf.Particles(broken, 3.54, particles.rows), classes=2, mask_diameter_a=150)
    with refused("rows: expected a DataFrame"):
        cf.select([1, 2])  # type: ignore[arg-type]
    with refused("rows: lacks the column nothing"):
        cf.select(particles, columns={"nothing": (0, 1)})
    with refused("columns: a: 3; give lowest and highest value"):
        cf.select(particles, columns={"a": 3})  # type: ignore[dict-item]
    with refused("classes: .*; give class numbers from 1"):
        cf.select(particles, classes=[0])


def test_defaults_are_those_of_the_job() -> None:
    fields = {
        "mask_diameter_a": (Optimization, "mask_diameter"),
        "iterations": (Optimization, "number_of_iterations"),
        "regularisation": (Optimization, "regularisation_parameter_t"),
        "zero_mask": (Optimization, "mask_individual_particles_with_zeros"),
        "resolution_limit_a": (Optimization, "limit_resolution_e_step_to"),
        "grow": (Optimization, "grow_classes"),
        "psi_step_deg": (Sampling, "in_plane_angular_sampling"),
        "offset_range_px": (Sampling, "offset_search_range"),
        "offset_step_px": (Sampling, "offset_search_step"),
        "align": (Sampling, "perform_image_alignment"),
    }
    found = inspect.signature(cf.classify).parameters
    for name, (section, field) in fields.items():
        assert found[name].default == section.model_fields[field].default, name
