"""Every STAR, MRC and SPIDER file of RELION's that lies in the reference data."""

import warnings
from pathlib import Path

import mrcfile
import numpy as np
import pandas as pd
import pytest
import starfile

from cryoflow.errors import FileError
from cryoflow.files.coordinates import read_coordinate_list, read_coordinates
from cryoflow.files.mrc import read_header, read_images, read_volume
from cryoflow.files.spider import read_spider
from cryoflow.files.star import read_star, write_star
from cryoflow.files.tables import pixel_size, read_micrographs, read_particles, write_table

pytestmark = pytest.mark.reference


def test_every_star_file_is_read_and_comes_back(reference: Path, tmp_path: Path) -> None:
    files = [path for path in reference.rglob("*.star") if not path.name.startswith("coords_suffix")]
    assert len(files) > 200
    for path in files:
        blocks = read_star(path)
        write_star(tmp_path / "a.star", blocks)
        again = read_star(tmp_path / "a.star")
        assert list(again) == list(blocks) and blocks, path
        for name, block in blocks.items():
            if isinstance(block, pd.DataFrame):
                pd.testing.assert_frame_equal(again[name], block, check_exact=True)  # type: ignore[arg-type]
            else:
                assert again[name] == block, path


def test_suffix_files_are_told_from_tables(reference: Path) -> None:
    for path in reference.rglob("coords_suffix_*.star"):
        with pytest.raises(
            FileError, match=r"one line that names another STAR file, CtfFind/job003/micrographs_ctf"
        ):
            read_star(path)


def test_starfile_finds_the_same_particles(reference: Path) -> None:
    path = reference / "bgal" / "Extract" / "job007" / "particles.star"
    ours, other = read_star(path)[""], starfile.read(path)
    assert isinstance(ours, pd.DataFrame)
    for name in ours.columns:
        assert ours[name].tolist() == other[name].tolist()


def test_every_mrc_file_is_read(reference: Path) -> None:
    files = [path for suffix in ("mrc", "mrcs") for path in reference.rglob(f"*.{suffix}")]
    assert len(files) > 50
    for path in files:
        content = path.read_bytes()
        nx, ny, nz, mode = np.frombuffer(content, "<i4", 4).tolist()
        dtype = {1: "<i2", 2: "<f4"}[mode]
        data = np.frombuffer(content, dtype, nx * ny * nz, 1024).reshape(nz, ny, nx)
        np.testing.assert_array_equal(read_volume(path), data)
        assert read_header(path)[:4] == (nz, ny, nx, mode)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # RELION leaves some fields odd
            with mrcfile.open(path, permissive=True, header_only=True) as other:
                assert read_header(path).pixel_size == pytest.approx(float(other.voxel_size.x), abs=1e-4)


def test_particles_are_read_by_name(reference: Path) -> None:
    project = reference / "mini"
    table = read_particles(project / "Extract" / "job007" / "particles.star")
    names = table.rows["rlnImageName"].tolist()
    order = np.random.default_rng(0).permutation(len(names))
    images = read_images([names[i] for i in order], project)
    stacks = [read_volume(path) for path in sorted((project / "Extract/job007/Micrographs").glob("*.mrcs"))]
    np.testing.assert_array_equal(images, np.concatenate(stacks)[order])


def test_newer_particles_against_starfile(reference: Path, tmp_path: Path) -> None:
    path = reference / "bgal" / "Class2D" / "job015" / "run_it025_data.star"
    table, other = read_particles(path), starfile.read(path)
    np.testing.assert_allclose(
        table.rows["rlnOriginX"] * 3.54, other["particles"]["rlnOriginXAngst"], atol=1e-9
    )
    assert np.unique(pixel_size(table)).tolist() == [3.54]
    write_table(tmp_path / "a.star", table)
    again = starfile.read(tmp_path / "a.star")
    pd.testing.assert_frame_equal(again["optics"], other["optics"])
    pd.testing.assert_frame_equal(
        again["particles"], other["particles"][again["particles"].columns], rtol=1e-6
    )


def test_classified_particles_of_relion_30(reference: Path) -> None:
    folder = reference / "mini" / "parity" / "class2d_k3"
    for path in folder.glob("run_it*_data.star"):
        table = read_particles(path)
        assert np.unique(pixel_size(table)).tolist() == [3.54]
        assert table.rows["rlnClassNumber"].dtype == np.int64


def test_micrographs_and_their_coordinates(reference: Path) -> None:
    project = reference / "bgal"
    table = read_micrographs(project / "CtfFind" / "job003" / "micrographs_ctf.star")
    assert np.unique(pixel_size(table)).tolist() == [1.77]
    suffix = project / "AutoPick" / "job011" / "coords_suffix_autopick.star"
    found = read_coordinate_list(suffix, project)
    assert [name for name, _ in found] == table.rows["rlnMicrographName"].tolist()
    assert sum(len(read_coordinates(path)) for _, path in found) == 4759
    assert read_coordinate_list(suffix.parent, project, [name for name, _ in found]) == found


def test_maps_hold_the_values_of_the_picks(reference: Path) -> None:
    """A pick's merit and angle stand in its reference's maps of the square around the micrograph."""
    folder = reference / "mini" / "parity" / "pick_tutorial10_write" / "Micrographs"
    count = 0
    for number in (1, 2, 3):
        stem = folder / f"mic{number:03d}_autopick"
        for pick in read_coordinates(stem.with_suffix(".star")).itertuples():
            of_reference = f"{stem}_ref{int(pick.rlnClassNumber) - 1:06d}"
            ccf, psi = (
                read_spider(f"{of_reference}._bestCCF.spi"),
                read_spider(f"{of_reference}._bestPSI.spi"),
            )
            assert ccf.data.shape == psi.data.shape == (148, 148)
            scale = 820 / 148
            y, x = round((pick.rlnCoordinateY + (820 - 700) / 2) / scale), round(pick.rlnCoordinateX / scale)
            assert ccf.data[y, x] == pytest.approx(pick.rlnAutopickFigureOfMerit, abs=1e-5)
            assert psi.data[y, x] == pytest.approx(pick.rlnAnglePsi, abs=1e-5)
            assert ccf.maximum == psi.maximum == pytest.approx(1.0, abs=0.01) != ccf.data.max()
            count += 1
    assert count == 30


def test_every_map_is_read(reference: Path) -> None:
    files = sorted(reference.rglob("*.spi"))
    assert len(files) == 70
    for path in files:
        image = read_spider(path)
        ny, nx = image.data.shape
        content = path.read_bytes()
        np.testing.assert_array_equal(image.data, np.frombuffer(content, "<f4")[-ny * nx :].reshape(ny, nx))
        assert np.isfinite(image.data).all()
