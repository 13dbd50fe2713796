"""Z-scores against RELION 3.0.8."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cryoflow.files.tables import read_particles
from cryoflow.jobs.extract.run import run as run_extract
from cryoflow.jobs.sort.run import run
from cryoflow.project.context import JobContext
from cryoflow.spec import parse_spec

pytestmark = pytest.mark.reference
COLUMN = "rlnParticleSelectZScore"


def project(reference: Path, folder: Path) -> Path:
    for item in reference.iterdir():
        (folder / item.name).symlink_to(item)
    return folder


def scores(folder: Path, particles: str, references: dict[str, Any], **options: Any) -> np.ndarray:
    directory = folder / "Out" / "job013"
    directory.mkdir(parents=True, exist_ok=True)
    io = {"input_particles_to_be_sorted": particles, **references}
    spec = parse_spec(
        {"job": "Sort", "io": io, "reference": options.pop("reference", {}), "compute": options}
    )
    run(spec, JobContext(folder, directory))
    ours = read_particles(directory / "particles_sort.star").rows
    given = read_particles(folder / particles).rows
    assert list(ours.columns) == [*given.columns, COLUMN]
    assert list(ours["rlnImageName"]) == list(given["rlnImageName"])
    return ours[COLUMN].to_numpy()


PICKING = {"autopicking_references": "Select/job009/class_averages.star"}
CASES = {
    "tutorial": ("parity/extract_tutorial/particles.star", PICKING, True),
    "noctf": ("parity/extract_tutorial/particles.star", PICKING, False),
    "model": (
        "parity/class2d_k3/run_it008_data.star",
        {"references_from_model_star": "parity/class2d_k3/run_it008_model.star"},
        True,
    ),
}


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("case", CASES)
def test_z_scores_agree(reference: Path, tmp_path: Path, case: str, precision: str) -> None:
    folder = project(reference / "mini", tmp_path)
    particles, references, ctf = CASES[case]
    options = {"are_references_ctf_corrected": ctf}
    ours = scores(folder, particles, references, reference=options, precision=precision)
    theirs = read_particles(folder / f"parity/sort_{case}/particles_sort.star").rows[COLUMN]
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize(
    ("extract", "sort", "picks"), [("job012", "job013", "job011"), ("job012b", "job013b", "job010b")]
)
def test_bgal_extracted_and_sorted(
    reference: Path, tmp_path: Path, extract: str, sort: str, picks: str
) -> None:
    bgal = reference / "bgal"
    for name in ("Micrographs", "CtfFind", "AutoPick", "Select"):
        (tmp_path / name).symlink_to(bgal / name)
    directory = tmp_path / "Extract" / extract
    directory.mkdir(parents=True)
    box = {
        "particle_box_size": 128,
        "diameter_background_circle": 100,
        "rescale_particles": True,
        "re_scaled_size": 64,
    }
    io = {
        "micrograph_star_file": "CtfFind/job003/micrographs_ctf.star",
        "input_coordinates": f"AutoPick/{picks}",
    }
    run_extract(parse_spec({"job": "Extract", "io": io, "extract": box}), JobContext(tmp_path, directory))
    ours = scores(tmp_path, f"Extract/{extract}/particles.star", PICKING)
    theirs = read_particles(bgal / "Sort" / sort / "particles_sort.star").rows
    assert list(theirs["rlnImageName"]) == list(
        read_particles(directory / "particles.star").rows["rlnImageName"]
    )
    np.testing.assert_allclose(ours, theirs[COLUMN], atol=2e-5)
