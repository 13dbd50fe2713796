"""Extraction and Z-scores on arrays against the files of Extract and Sort."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.api_project import run
from helpers.particle_project import make_project, picks

import cryoflow as cf
from cryoflow.files.mrc import read_stack, write_mrc
from cryoflow.files.tables import read_particles
from cryoflow.spec.extract import ExtractTab

TABLE, PARTICLES = "CtfFind/job003/micrographs_ctf.star", "Extract/job012/particles.star"
IO = {"micrograph_star_file": TABLE, "input_coordinates": "AutoPick/job011/coords_suffix_autopick.star"}
TAB = {
    "particle_box_size": 24,
    "rescale_particles": True,
    "re_scaled_size": 16,
    "diameter_background_circle": 18,
}
OPTIONS: dict[str, Any] = {"box_px": 24, "rescaled_px": 16, "background_diameter_px": 18}
DIGITS = {"rtol": 2e-6, "atol": 1e-6, "check_dtype": False}
"""What STAR files keep."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_project(tmp_path_factory.mktemp("project"))
    run(root, "Extract/job012", {"job": "Extract", "io": IO, "extract": TAB})
    images = np.random.default_rng(5).normal(size=(2, 16, 16)).astype(np.float32)
    images[:, [0, 1, -1, -2]] = images[:, :, [0, 1, -1, -2]] = 0
    write_mrc(root / "refs.mrcs", images, 3.0)
    return root


@pytest.fixture(scope="module")
def micrograph(project: Path) -> cf.Micrograph:
    return cf.read_micrographs(TABLE, project)[1]


def stack(project: Path, job: str = "Extract/job012", number: int = 2) -> np.ndarray:
    return read_stack(project / job / f"Movies/mic{number}.mrcs")


def test_images_and_rows_are_those_of_the_job(project: Path) -> None:
    parts = []
    for number, micrograph in enumerate(cf.read_micrographs(TABLE, project), 1):
        parts.append(cf.extract(micrograph, picks(number), **OPTIONS))
        np.testing.assert_allclose(parts[-1].images, stack(project, number=number), atol=2e-6)
    found = cf.Particles.concat(parts)
    assert found.pixel_size_a == 3.0
    assert found.rows["rlnImageName"].iloc[5] == "000001@Movies/mic2.mrcs"
    expected = read_particles(project / PARTICLES).rows
    pd.testing.assert_frame_equal(
        found.to_frame().drop(columns="rlnImageName"), expected.drop(columns="rlnImageName"), **DIGITS
    )


def test_dust_and_contrast_are_those_of_the_job(project: Path, micrograph: cf.Micrograph) -> None:
    tab = {"particle_box_size": 24, "stddev_for_white_dust_removal": 2, "stddev_for_black_dust_removal": 2.5}
    tab |= {"invert_contrast": False}
    run(project, "Extract/job013", {"job": "Extract", "io": IO, "extract": tab, "compute": {"seed": 7}})
    options: dict[str, Any] = {"white_dust_sd": 2, "black_dust_sd": 2.5, "invert": False, "seed": 7}
    found = cf.extract(micrograph, picks(2), box_px=24, **options)
    np.testing.assert_allclose(found.images, stack(project, "Extract/job013"), atol=2e-6)


def test_positions_may_be_a_table_an_array_or_a_tensor(micrograph: cf.Micrograph) -> None:
    table = picks(2)
    expected = cf.extract(micrograph, table, **OPTIONS)
    places = table[["rlnCoordinateY", "rlnCoordinateX"]].to_numpy(copy=True)
    for given in (places, places.astype(">f8"), torch.tensor(places.tolist(), dtype=torch.float64)):
        np.testing.assert_array_equal(cf.extract(micrograph, given, **OPTIONS).images, expected.images)
    tensor = cf.extract(micrograph.to("cpu"), table, **OPTIONS)
    assert isinstance(tensor.images, torch.Tensor)
    np.testing.assert_array_equal(tensor.images.numpy(), expected.images)


def test_a_window_holds_the_pixels_around_its_position() -> None:
    pixels = np.arange(40 * 50).reshape(40, 50).astype(">u2")
    found = cf.extract(cf.Micrograph(pixels, 2.0), [(20.9, 30.2)], box_px=6, normalize=False, invert=False)
    np.testing.assert_array_equal(found.images[0], pixels[17:23, 27:33])


def test_particles_wholly_outside_are_left_out(micrograph: cf.Micrograph) -> None:
    found = cf.extract(micrograph, [(-40, 10), (30, 30), (30, 300)], box_px=24)
    assert len(found) == 1 and found.rows["rlnCoordinateX"].tolist() == [30]
    assert len(cf.extract(micrograph, np.zeros((0, 2)), box_px=24)) == 0


def test_the_ctf_of_a_micrograph_without_a_row_goes_to_its_particles() -> None:
    ctf = cf.Ctf(defocus_u_a=9000, voltage_kv=300, cs_mm=2.7, amplitude_contrast=0.1)
    pixels = np.random.default_rng(0).normal(size=(40, 40))
    found = cf.extract(cf.Micrograph(pixels, 2.0, ctf, "a.mrc"), [(20, 20)], box_px=16)
    row = found.to_frame().iloc[0]
    assert (row["rlnDefocusU"], row["rlnDefocusV"], row["rlnVoltage"]) == (9000, 9000, 300)
    assert row["rlnMicrographName"] == "a.mrc" and row["rlnDetectorPixelSize"] == 2.0
    assert found.images.dtype == np.float64


def test_z_scores_are_those_of_the_job(project: Path) -> None:
    for corrected in (True, False):
        io = {"input_particles_to_be_sorted": PARTICLES, "autopicking_references": "refs.mrcs"}
        reference = {"pixel_size_in_references": 3.0, "are_references_ctf_corrected": corrected}
        run(project, "Sort/job013", {"job": "Sort", "io": io, "reference": reference})
        particles = cf.read_particles(PARTICLES, project)
        references = cf.read_references("refs.mrcs", project=project)
        found = cf.z_scores(particles, references, ctf_corrected=corrected)
        expected = read_particles(project / "Sort/job013/particles_sort.star").rows
        assert found.z.std() > 0.1
        pd.testing.assert_frame_equal(found.to_frame(), expected, **DIGITS)
        tensors = cf.z_scores(particles.to("cpu"), references.to("cpu"), ctf_corrected=corrected)
        assert isinstance(tensors.z, torch.Tensor)
        np.testing.assert_allclose(tensors.z.numpy(), found.z, atol=1e-6)


def refused(match: str) -> Any:
    return pytest.raises(cf.CryoflowError, match=match)


def test_arguments_that_do_not_fit_are_refused_in_one_line(project: Path, micrograph: cf.Micrograph) -> None:
    for box in (23, 0, 24.0):
        with refused("box_px: .*; give an even number of pixels"):
            cf.extract(micrograph, picks(2), box_px=box)  # type: ignore[arg-type]
    with refused("box_px: 100 pixels exceed the micrograph"):
        cf.extract(micrograph, picks(2), box_px=100)
    with refused("background_diameter_px: the background circle leaves 0 pixels"):
        cf.extract(micrograph, picks(2), box_px=24, background_diameter_px=40)
    with refused("picks: no column rlnCoordinateX"):
        cf.extract(micrograph, pd.DataFrame({"rlnCoordinateY": [1.0]}), box_px=24)
    with refused(r"picks: shape \(2, 3\); expected \(n, 2\), y and x"):
        cf.extract(micrograph, np.zeros((2, 3)), box_px=24)
    broken = np.array(micrograph.pixels)
    broken[30, 30] = np.nan
    with refused("1 particles contain pixels that are not finite"):
        cf.extract(cf.Micrograph(broken, 2.0), [(30, 30)], box_px=24)
    particles = cf.read_particles(PARTICLES, project)
    references = cf.read_references("refs.mrcs", project=project)
    for column in ("rlnAnglePsi", "rlnClassNumber", "rlnDefocusU"):
        short = cf.Particles(particles.images, 3.0, particles.rows.drop(columns=column))
        with refused(f"particles: lacks the column {column}"):
            cf.z_scores(short, references)
    with refused("in boxes of 15 px; give at least one, and an even box size"):
        cf.z_scores(cf.Particles(particles.images[:, 1:, 1:], 3.0, particles.rows), references)


def test_defaults_are_those_of_the_job() -> None:
    fields = {
        "box_px": "particle_box_size",
        "background_diameter_px": "diameter_background_circle",
        "normalize": "normalize_particles",
        "invert": "invert_contrast",
        "white_dust_sd": "stddev_for_white_dust_removal",
        "black_dust_sd": "stddev_for_black_dust_removal",
    }
    found = inspect.signature(cf.extract).parameters
    for name, field in fields.items():
        assert found[name].default == ExtractTab.model_fields[field].default
