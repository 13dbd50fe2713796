"""A project on disk: layout, determinism, scores."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.mrc import read_header, read_image, read_stack
from cryoflow.files.star import read_star
from cryoflow.simulate.micrograph import simulate_micrograph
from cryoflow.simulate.options import SimulateOptions
from cryoflow.simulate.project import simulate_project
from cryoflow.simulate.sample import Sample
from cryoflow.simulate.score import Truth, kinds_of, read_truth, score_table

OPTIONS = SimulateOptions(
    micrographs=3,
    selected=2,
    size=(262, 301),
    pixel_size=3.0,
    diameter=120,
    particles=9,
    broken=1,
    contaminants=2,
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("simulated") / "new"
    made = simulate_project(directory, OPTIONS)
    assert (made.micrographs, made.particles) == (3, 27)
    return directory


def hashes(directory: Path) -> dict[str, str]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): sha256(path.read_bytes()).hexdigest() for path in files}


def rows(path: Path) -> pd.DataFrame:
    (block,) = read_star(path).values()
    assert isinstance(block, pd.DataFrame)
    return block


def test_the_layout_is_the_tutorials(project: Path) -> None:
    assert set(hashes(project)) == {
        *(f"Micrographs/mic00{i}.mrc" for i in (1, 2, 3)),
        *(f"truth/mic00{i}.star" for i in (1, 2, 3)),
        "truth/params.json",
        "truth/symmetry.json",
        "CtfFind/job003/micrographs_ctf.star",
        "Select/job005/micrographs_selected.star",
        "Select/job009/class_averages.star",
        "Select/job009/class_averages.mrcs",
    }


def test_tables_tell_what_was_simulated(project: Path) -> None:
    table = rows(project / "CtfFind/job003/micrographs_ctf.star")
    assert table["rlnMicrographName"].tolist() == [f"Micrographs/mic00{i}.mrc" for i in (1, 2, 3)]
    pixel = 1e4 * table["rlnDetectorPixelSize"] / table["rlnMagnification"]
    np.testing.assert_allclose(pixel, OPTIONS.pixel_size)
    middle = (table["rlnDefocusU"] + table["rlnDefocusV"]) / 2
    assert middle.between(*OPTIONS.defocus).all() and (table["rlnDefocusU"] >= table["rlnDefocusV"]).all()
    selected = rows(project / "Select/job005/micrographs_selected.star")
    pd.testing.assert_frame_equal(selected, table.iloc[:2])
    references = rows(project / "Select/job009/class_averages.star")["rlnReferenceImage"]
    assert references[3] == "000004@Select/job009/class_averages.mrcs"


def test_images_are_what_was_simulated(project: Path) -> None:
    made = simulate_micrograph("mic002", Sample(OPTIONS))
    stored = read_image(project / "Micrographs/mic002.mrc")
    np.testing.assert_allclose(stored, made.image, atol=0.5)
    header = read_header(project / "Micrographs/mic002.mrc")
    assert (header.ny, header.nx, header.mode) == (262, 301, 1) and np.isclose(header.pixel_size, 3)
    stack = project / "Select/job009/class_averages.mrcs"
    np.testing.assert_allclose(read_stack(stack), Sample(OPTIONS).references(), rtol=1e-6)
    assert np.isclose(read_header(stack).pixel_size, 6)
    truth = rows(project / "truth/mic002.star")
    np.testing.assert_array_equal(truth[["rlnCoordinateY", "rlnCoordinateX"]], made.scene.centres_yx)
    np.testing.assert_array_equal(truth[["truthRot", "truthTilt", "truthPsi"]], made.scene.angles_deg)


def test_parameters_are_in_the_reference_layout(project: Path) -> None:
    ours = json.loads((project / "truth/params.json").read_text())
    assert (ours["angpix"], ours["diam"], ours["size"]) == (3.0, 120, [262, 301])
    operations = json.loads((project / "truth/symmetry.json").read_text())
    assert np.shape(operations) == (4, 3, 3)


@pytest.mark.reference
def test_parameters_cover_those_of_the_reference_data(project: Path, reference: Path) -> None:
    theirs = json.loads((reference / "bgal/truth/params.json").read_text())
    ours = json.loads((project / "truth/params.json").read_text())
    assert set(theirs) - {"out", "atoms"} <= set(ours)
    table = rows(reference / "bgal/truth/mic001.star")
    assert list(rows(project / "truth/mic001.star").columns) == list(table.columns)


def test_the_same_options_give_the_same_bytes_and_more_micrographs_leave_the_first(
    project: Path, tmp_path: Path
) -> None:
    before = hashes(project)
    simulate_project(tmp_path / "again", OPTIONS)
    assert hashes(tmp_path / "again") == before
    simulate_project(tmp_path / "more", replace(OPTIONS, micrographs=4))
    after = hashes(tmp_path / "more")
    kept = [name for name in before if name.startswith("Micrographs/") or name.endswith(("01.star", ".mrcs"))]
    assert len(kept) == 5 and all(after[name] == before[name] for name in kept)
    simulate_project(tmp_path / "other", replace(OPTIONS, seed=2))
    assert not set(hashes(tmp_path / "other").values()) & {before[name] for name in kept}


def test_float_micrographs_are_not_rounded(tmp_path: Path) -> None:
    simulate_project(tmp_path / "p", replace(OPTIONS, micrographs=1, mode="float32"))
    made = simulate_micrograph("mic001", Sample(OPTIONS))
    np.testing.assert_array_equal(read_image(tmp_path / "p/Micrographs/mic001.mrc"), made.image)


def test_an_existing_project_is_left_alone(project: Path) -> None:
    before = hashes(project)
    with pytest.raises(FileError, match="holds micrographs already"):
        simulate_project(project, OPTIONS)
    assert hashes(project) == before


@pytest.mark.parametrize("change", [{"symmetry": "Q6"}, {"particles": 200}])
def test_what_cannot_be_simulated_leaves_nothing_behind(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(CryoflowError):
        simulate_project(tmp_path / "new", replace(OPTIONS, **change))
    assert not (tmp_path / "new").exists()


def test_a_path_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be written") as caught:
        simulate_project(tmp_path / "file" / "project", OPTIONS)
    assert "\n" not in str(caught.value)


def test_kinds_follow_the_nearest_object_and_count_it_once() -> None:
    truth = Truth(np.array([[10.0, 10], [50, 50], [90, 10]]), np.array([1, 2, 3]), 5.0)
    xy = np.array([[13.0, 14], [10, 12], [50, 51], [90, 16], [200, 0], [0, 0]])
    assert kinds_of(xy, truth).tolist() == [1, 9, 2, 0, 0, 0]
    assert kinds_of(np.empty((0, 2)), truth).tolist() == []


def test_a_score_counts_particles_once_and_missed_micrographs_too(project: Path) -> None:
    names = [f"Micrographs/mic00{i}.mrc" for i in (1, 2)]
    truth = read_truth(project, names[0])
    whole = truth.xy[truth.kinds == 1][:4]
    picks = pd.DataFrame(np.concatenate((whole, whole[:1] + 1)), columns=["rlnCoordinateX", "rlnCoordinateY"])
    picks["rlnMicrographName"], picks["fom"] = names[0], [1, 2, 3, 4, 5]
    score = score_table(project, picks, names, best="fom")
    assert (score.picks, score.found, score.true) == (5, 4, 18)
    assert score.precision == 0.8 and np.isclose(score.recall, 4 / 18)
    assert np.isclose(truth.tolerance, 0.35 * 120 / 3)
