"""Reading what projects hold, and the names of the package."""

import subprocess
import sys
from pathlib import Path

import mrcfile
import numpy as np
import pandas as pd
import pytest
import starfile
from helpers.particle_project import PIXEL, make_project, micrograph, micrograph_rows

import cryoflow as cf

TABLE = "CtfFind/job003/micrographs_ctf.star"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project"))


def test_a_table_of_micrographs_reads_them_with_their_ctf(project: Path) -> None:
    table = cf.read_micrographs(TABLE, project)
    assert len(table) == 3
    pd.testing.assert_frame_equal(table.to_frame(), micrograph_rows())
    for number, found in enumerate(table, 1):
        np.testing.assert_array_equal(found.pixels, micrograph(number))
        assert found.name == f"MotionCorr/job002/Movies/mic{number}.mrc"
        assert found.pixel_size_a == PIXEL
        assert found.ctf is not None and found.ctf.defocus_u_a == 8000 + 1000 * number
    with pytest.raises(IndexError):
        table[3]


def test_a_micrograph_takes_ctf_and_pixel_size_from_a_row_a_header_or_the_caller(project: Path) -> None:
    path = project / "MotionCorr/job002/Movies/mic2.mrc"
    row = cf.read_micrographs(TABLE, project).row(1)
    assert cf.read_micrograph(path).pixel_size_a == PIXEL
    assert cf.read_micrograph(path).ctf is None
    found = cf.read_micrograph(path, ctf={**row, "rlnDetectorPixelSize": 3.0})
    assert found.pixel_size_a == 3.0 and found.ctf is not None and found.ctf.defocus_v_a == 9900
    assert cf.read_micrograph(path, ctf=row, pixel_size_a=1.2).pixel_size_a == 1.2


def test_without_a_pixel_size_the_line_says_what_to_give(tmp_path: Path) -> None:
    for size, name in ((0.0, "none.mrc"), (1.0, "unset.mrc")):
        with mrcfile.new(tmp_path / name) as file:
            file.set_data(np.zeros((4, 4), np.float32))
            file.voxel_size = size
        with pytest.raises(cf.CryoflowError, match=f"{name}.*give pixel_size_a"):
            cf.read_micrograph(tmp_path / name)
        assert cf.read_micrograph(tmp_path / name, pixel_size_a=2).pixel_size_a == 2


def test_an_open_mrcfile_is_an_array(tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.int16).reshape(3, 4)
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(values)
        assert cf.Micrograph(file, 2.0).pixels is file  # type: ignore[arg-type]
        assert cf.Micrograph(file.data, 2.0).pixels.shape == (3, 4)


def test_references_come_from_a_stack_or_a_table(project: Path) -> None:
    images = np.random.default_rng(0).normal(size=(3, 8, 8)).astype(np.float32)
    with mrcfile.new(project / "refs.mrcs") as file:
        file.set_data(images)
        file.voxel_size = 3.54
    cf.write_star(project / "refs.star", pd.DataFrame({"rlnReferenceImage": ["2@refs.mrcs", "1@refs.mrcs"]}))
    stack = cf.read_references("refs.mrcs", project=project)
    np.testing.assert_array_equal(stack.images, images)
    assert stack.pixel_size_a == pytest.approx(3.54) and len(stack) == 3
    table = cf.read_references("refs.star", project=project, pixel_size_a=5.0)
    np.testing.assert_array_equal(table.images, images[[1, 0]])
    assert table.pixel_size_a == 5.0


def test_star_files_are_as_starfile_has_them(project: Path, tmp_path: Path) -> None:
    path = project / TABLE
    ours, theirs = cf.read_star(path), starfile.read(path, always_dict=True)
    assert list(ours) == list(theirs)
    pd.testing.assert_frame_equal(ours[""], theirs[""], check_dtype=False)
    cf.write_star(tmp_path / "copy.star", theirs)
    assert (tmp_path / "copy.star").read_bytes() == path.read_bytes()


def test_one_table_of_a_star_file(tmp_path: Path) -> None:
    rows = pd.DataFrame({"rlnImageName": ["1@a.mrcs", "2@a.mrcs"], "rlnOriginX": [1.0, -2.0]})
    cf.write_star(tmp_path / "one.star", {"general": {"rlnVersion": 1}, "things": rows})
    pd.testing.assert_frame_equal(cf.read_table(tmp_path / "one.star"), rows)
    several = {"a": rows, "b": rows[:1]}
    cf.write_star(tmp_path / "two.star", several)
    assert len(cf.read_table(tmp_path / "two.star", "b")) == 1
    with pytest.raises(cf.CryoflowError, match=r"two.star: holds 2 tables \(a, b\); give block"):
        cf.read_table(tmp_path / "two.star")
    optics = pd.DataFrame({"rlnOpticsGroup": [1], "rlnImagePixelSize": [2.0], "rlnVoltage": [300.0]})
    later = rows.rename(columns={"rlnOriginX": "rlnOriginXAngst"}).assign(rlnOpticsGroup=1)
    cf.write_star(tmp_path / "later.star", {"optics": optics, "particles": later}, style="3.1")
    flat = cf.read_table(tmp_path / "later.star")
    assert flat["rlnOriginX"].tolist() == [0.5, -1.0] and flat["rlnVoltage"].tolist() == [300, 300]


def test_images_and_rows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(cf.ArgumentError, match=r"micrograph a.mrc: shape \(4,\); expected \(h, w\)"):
        cf.Micrograph(np.zeros(4), 2.0, name="a.mrc")
    with pytest.raises(cf.ArgumentError, match="pixel_size_a"):
        cf.Micrograph(np.zeros((4, 4)), 0)
    with pytest.raises(cf.ArgumentError, match="references: 6 x 4 pixels; images must be square"):
        cf.References(np.zeros((2, 4, 6)), 2.0)
    with pytest.raises(cf.ArgumentError, match="particles: 3 images but 2 rows"):
        cf.Particles(np.zeros((3, 4, 4)), 2.0, pd.DataFrame({"a": [1, 2]}))


def test_particles_are_taken_and_put_together_by_row() -> None:
    images = np.arange(3 * 16.0).reshape(3, 4, 4)
    every = cf.Particles(images, 2.0, pd.DataFrame({"rlnImageName": ["1@a", "2@a", "3@a"]}))
    for some in (slice(1, 3), [1, 2], np.array([False, True, True])):
        taken = every[some]
        np.testing.assert_array_equal(taken.images, images[1:])
        assert taken.to_frame()["rlnImageName"].tolist() == ["2@a", "3@a"]
    both = cf.Particles.concat([every[:1], every[1:]])
    np.testing.assert_array_equal(both.images, images)
    assert both.rows.equals(every.rows)
    with pytest.raises(cf.ArgumentError, match="2 different boxes or pixel sizes"):
        cf.Particles.concat([every, cf.Particles(images, 3.0, every.rows)])


def test_names_are_imported_when_they_are_used() -> None:
    code = "import sys, cryoflow; print(sorted({'torch', 'pandas', 'numpy', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert set(cf.__all__) <= set(dir(cf))
    for name in cf.__all__:
        assert getattr(cf, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        cf.nothing  # type: ignore[attr-defined]  # noqa: B018
