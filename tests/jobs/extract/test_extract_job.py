"""What Extract writes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.particle_project import (
    PIXEL,
    context,
    extract_spec,
    listener,
    micrograph,
    micrograph_rows,
    picks,
)

from cryoflow.files.mrc import read_header, read_images, read_stack, write_mrc
from cryoflow.files.star import read_star, write_star
from cryoflow.files.tables import Table, pixel_size, read_particles, write_table
from cryoflow.jobs.extract.run import run


def window(number: int, row: pd.Series, box: int = 24) -> np.ndarray:
    padded = np.pad(micrograph(number), 2 * box, mode="edge")
    y, x = (int(row[f"rlnCoordinate{axis}"]) + 2 * box - box // 2 for axis in "YX")
    return padded[y : y + box, x : x + box]


def test_every_particle_is_its_window(project: Path) -> None:
    job = context(project, "Extract/job012")
    tab = {"normalize_particles": False, "invert_contrast": False}
    result = run(extract_spec(tab=tab), job)
    rows = read_particles(job.directory / "particles.star").rows
    images = read_images(rows["rlnImageName"].tolist(), project)
    assert list(rows["rlnMicrographName"].unique()) == micrograph_rows()["rlnMicrographName"].tolist()
    for index, image in enumerate(images):
        number, pick = index // 5 + 1, index % 5
        assert rows["rlnImageName"][index] == f"00000{pick + 1}@Extract/job012/Movies/mic{number}.mrcs"
        np.testing.assert_array_equal(image, window(number, picks(number).iloc[pick]))
        assert rows["rlnDefocusU"][index] == 8000 + 1000 * number
    assert result.counts["particles"] == 15 and not result.failures
    assert result.nodes == (("Extract/job012/particles.star", "ParticleGroupMetadata.star.relion"),)
    for name in result.outputs:
        assert (project / name).is_file()
    assert read_header(job.directory / "Movies/mic1.mrcs").pixel_size == PIXEL


def test_rescaled_particles_carry_their_pixel_size_and_a_clean_background(project: Path) -> None:
    job = context(project, "Extract/job012")
    result = run(extract_spec(tab={"rescale_particles": True, "re_scaled_size": 16}), job)
    table = read_particles(job.directory / "particles.star")
    assert pixel_size(table).tolist() == [3.0] * 15
    assert (table.rows[["rlnOriginX", "rlnOriginY"]] == 0).all(axis=None)
    y, x = np.mgrid[:16, :16] - 8
    outside = y**2 + x**2 > int(0.75 * 24 / 2 * 16 / 24) ** 2
    images = read_images(table.rows["rlnImageName"].tolist(), project)[:, outside]
    np.testing.assert_allclose(images.mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(images.std(1), 1, atol=1e-5)
    assert result.counts["background_mean"] < 1e-5 and result.counts["background_sd_error"] < 1e-5
    assert any(line.startswith("normalisation checked: ok") for line in listener(job).said)


def test_several_pixel_sizes_are_told(project: Path) -> None:
    rows = micrograph_rows().assign(rlnDetectorPixelSize=[2.0, 2.0, 1.5], rlnMagnification=1e4)
    write_star(project / "mixed.star", {"": rows})
    job = context(project, "Extract/job012")
    run(extract_spec(io={"micrograph_star_file": "mixed.star"}), job)
    assert [line for line in listener(job).warned if "several pixel sizes (1.5 to 2 A)" in line]
    assert set(pixel_size(read_particles(job.directory / "particles.star"))) == {2.0, 1.5}


def test_workers_write_the_same_bytes(project: Path) -> None:
    tab = {"stddev_for_white_dust_removal": 1.5, "rescale_particles": True, "re_scaled_size": 16}
    for job, workers in (("Extract/job001", 1), ("Extract/job002", 2)):
        run(extract_spec(tab=tab, compute={"workers": workers, "seed": 3}), context(project, job))
    for name in ("mic1.mrcs", "mic2.mrcs", "mic3.mrcs"):
        one, two = (project / f"Extract/job00{i}/Movies/{name}" for i in (1, 2))
        assert one.read_bytes() == two.read_bytes()


def test_dust_noise_follows_the_seed_and_the_particle_not_its_place(project: Path) -> None:
    def images(job: str, seed: int) -> np.ndarray:
        tab = {"stddev_for_white_dust_removal": 1.0}
        run(extract_spec(tab=tab, compute={"seed": seed}), context(project, job))
        return read_stack(project / job / "Movies/mic1.mrcs")

    first, other = images("Extract/job001", 1), images("Extract/job002", 2)
    assert (first != other).any()
    write_star(project / "AutoPick/job011/Movies/mic1_autopick.star", {"": picks(1).iloc[::-1]})
    np.testing.assert_allclose(images("Extract/job003", 1)[::-1], first, atol=1e-5)


@pytest.mark.parametrize("source", ["folder", "autopick"])
def test_other_ways_to_give_coordinates(project: Path, source: str) -> None:
    names = micrograph_rows()["rlnMicrographName"]
    files = [f"AutoPick/job011/Movies/mic{i}_autopick.star" for i in (1, 2, 3)]
    listed = pd.DataFrame({"rlnMicrographName": names, "rlnMicrographCoordinates": files})
    write_star(project / "AutoPick/job011/autopick.star", {"coordinate_files": listed})
    given = "AutoPick/job011" if source == "folder" else "AutoPick/job011/autopick.star"
    run(extract_spec(), context(project, "Extract/job001"))
    run(extract_spec(io={"input_coordinates": given}), context(project, "Extract/job002"))
    one, two = (read_stack(project / f"Extract/job00{i}/Movies/mic2.mrcs") for i in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_bare_coordinates_and_a_bare_micrograph_table(project: Path) -> None:
    write_star(project / "bare.star", {"": micrograph_rows()[["rlnMicrographName"]]})
    for number in (1, 2, 3):
        write_mrc(project / f"MotionCorr/job002/Movies/mic{number}.mrc", micrograph(number), 0)
        bare = picks(number)[["rlnCoordinateX", "rlnCoordinateY"]].round()
        write_star(project / f"AutoPick/job011/Movies/mic{number}_autopick.star", {"": bare})
    job = context(project, "Extract/job012")
    run(extract_spec(io={"micrograph_star_file": "bare.star"}), job)
    rows = read_particles(job.directory / "particles.star").rows
    expected = ["rlnCoordinateX", "rlnCoordinateY", "rlnImageName", "rlnMicrographName"]
    assert list(rows.columns) == expected and len(rows) == 15
    assert any("pixel size" in line for line in listener(job).warned)
    by_hand = {"micrograph_star_file": "bare.star", "manually_set_pixel_size": True, "pixel_size": 1.5}
    run(extract_spec(io=by_hand, tab={"rescale_particles": True, "re_scaled_size": 12}), job)
    assert pixel_size(read_particles(job.directory / "particles.star")).tolist() == [3.0] * 15


def test_particles_wholly_outside_are_dropped_and_counted(project: Path) -> None:
    rows = picks(2)
    rows.loc[1, "rlnCoordinateX"], rows.loc[3, "rlnCoordinateY"] = -13.0, 74.0
    write_star(project / "AutoPick/job011/Movies/mic2_autopick.star", {"": rows})
    job = context(project, "Extract/job012")
    result = run(extract_spec(), job)
    assert result.counts["outside"] == 2 and result.counts["particles"] == 13
    kept = read_particles(job.directory / "Movies/mic2_extract.star").rows
    np.testing.assert_allclose(kept["rlnCoordinateX"], rows["rlnCoordinateX"][[0, 2, 4]], atol=1e-5)
    assert any("dropped 2 particles" in line for line in listener(job).warned)


def test_float16_stacks_are_half_the_size_and_nearly_the_same(project: Path) -> None:
    full, half = context(project, "Extract/job001"), context(project, "Extract/job002")
    run(extract_spec(), full)
    run(extract_spec(tab={"write_float16": True}), half)
    stacks = [job.directory / "Movies/mic2.mrcs" for job in (full, half)]
    assert [read_header(stack).mode for stack in stacks] == [2, 12]
    sizes = [stack.stat().st_size - 1024 for stack in stacks]
    assert sizes[1] * 2 == sizes[0]
    one, two = (read_stack(stack) for stack in stacks)
    assert two.dtype == np.float32
    np.testing.assert_allclose(two, one, rtol=2**-11, atol=2**-24)  # half a unit in the last of 11 bits
    assert not any("background" in line for line in listener(half).warned)
    again = context(project, "Extract/job002", continuing=True)
    assert run(extract_spec(), again).counts["kept_micrographs"] == 0  # another number type: made anew


def test_tables_of_relion_31(project: Path) -> None:
    job = context(project, "Extract/job012")
    run(extract_spec(star_style="3.1", tab={"rescale_particles": True, "re_scaled_size": 16}), job)
    table = read_particles(job.directory / "particles.star")
    assert table.style == "3.1" and pixel_size(table).tolist() == [3.0] * 15
    assert set(table.rows["rlnImageSize"]) == {16} and set(table.rows["rlnImageDimensionality"]) == {2}
    assert "rlnOpticsGroup" in table.rows.columns


def test_micrographs_of_relion_31_with_their_optics_groups(project: Path) -> None:
    rows = micrograph_rows().assign(rlnOpticsGroup=[1, 2, 2], rlnOpticsGroupName=["a", "b", "b"])
    rows["rlnVoltage"] = [200.0, 300.0, 300.0]
    table = Table(rows, "3.1", project / "mics.star", "micrographs")
    write_table(table.path, table)
    job = context(project, "Extract/job012")
    run(extract_spec(io={"micrograph_star_file": "mics.star"}), job)
    blocks = read_star(job.directory / "particles.star")
    optics, particles = blocks["optics"], blocks["particles"]
    assert isinstance(optics, pd.DataFrame) and isinstance(particles, pd.DataFrame)
    assert optics["rlnOpticsGroupName"].tolist() == ["a", "b"]
    assert optics["rlnVoltage"].tolist() == [200, 300] and optics["rlnImagePixelSize"].tolist() == [PIXEL] * 2
    assert optics["rlnImageSize"].tolist() == [24, 24]
    assert particles["rlnOpticsGroup"].tolist() == [1] * 5 + [2] * 10
    assert not {"rlnVoltage", "rlnMagnification", "rlnMicrographPixelSize"} & set(particles.columns)
