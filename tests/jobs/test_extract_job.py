import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.particle_project import (
    PIXEL,
    Listener,
    context,
    extract_spec,
    make_project,
    micrograph,
    micrograph_rows,
    picks,
)

from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.mrc import read_header, read_images, read_stack, write_mrc
from cryoflow.files.star import read_star, write_star
from cryoflow.files.tables import Table, pixel_size, read_particles, write_table
from cryoflow.jobs.extract.run import run
from cryoflow.project.context import JobContext


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path)


def window(number: int, row: pd.Series, box: int = 24) -> np.ndarray:
    padded = np.pad(micrograph(number), 2 * box, mode="edge")
    y, x = (int(row[f"rlnCoordinate{axis}"]) + 2 * box - box // 2 for axis in "YX")
    return padded[y : y + box, x : x + box]


def listener(job: JobContext) -> Listener:
    assert isinstance(job.report, Listener)
    return job.report


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
    assert any("backgrounds as written" in line for line in listener(job).said)


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


BREAKAGES = {
    "missing": "micrographs_ctf.star: names the micrograph MotionCorr/job002/Movies/mic2.mrc",
    "truncated": "mic2.mrc: truncated",
    "coordinates": "mic2_autopick.star: holds no coordinates",
    "a coordinate": "mic2_autopick.star: the coordinates of row 2 are not finite",
    "pixels": "cover pixels that are not finite numbers",
    "defocus": "rlnDefocusU of MotionCorr/job002/Movies/mic2.mrc is not a finite number",
    "size": "mic2.mrc: is 20 x 23 pixels, less than a box of 24",
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_broken_micrograph_is_a_failure_and_the_others_go_on(project: Path, breakage: str) -> None:
    path = project / "MotionCorr/job002/Movies/mic2.mrc"
    if breakage == "missing":
        path.unlink()
    elif breakage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif breakage == "pixels":
        pixels, pick = micrograph(2), picks(2).iloc[1]
        pixels[int(pick["rlnCoordinateY"]), int(pick["rlnCoordinateX"])] = np.nan
        write_mrc(path, pixels, PIXEL)
    elif breakage == "defocus":
        table = micrograph_rows().assign(rlnDefocusU=[9000.0, np.nan, 11000.0])
        write_star(project / "CtfFind/job003/micrographs_ctf.star", {"": table})
    elif breakage == "size":
        write_mrc(path, micrograph(2)[:23, :20], PIXEL)
    else:
        rows = picks(2)[["rlnCoordinateX"]] if breakage == "coordinates" else picks(2)
        rows.iloc[1, 0] = np.nan
        write_star(project / "AutoPick/job011/Movies/mic2_autopick.star", {"": rows})
    job = context(project, "Extract/job012")
    result = run(extract_spec(), job)
    assert [failure.item for failure in result.failures] == ["MotionCorr/job002/Movies/mic2.mrc"]
    assert BREAKAGES[breakage] in result.failures[0].message
    assert result.counts["particles"] == 10 and not listener(job).warned
    assert not (job.directory / "Movies/mic2.mrcs").exists()


@pytest.mark.parametrize("level", [0, 1234.567])
def test_a_blank_micrograph_is_told(project: Path, level: float) -> None:
    write_mrc(project / "MotionCorr/job002/Movies/mic2.mrc", np.full((61, 80), level), PIXEL)
    job = context(project, "Extract/job012")
    run(extract_spec(), job)
    (told,) = listener(job).warned
    assert told.startswith("MotionCorr/job002/Movies/mic2.mrc: background means") and "blank" in told
    assert np.abs(read_stack(job.directory / "Movies/mic2.mrcs")).max() < 1e-3 and "\n" not in told


def test_no_micrograph_at_all_is_an_error(project: Path) -> None:
    for number in (1, 2, 3):
        (project / f"MotionCorr/job002/Movies/mic{number}.mrc").unlink()
    with pytest.raises(CryoflowError, match="no micrograph could be extracted"):
        run(extract_spec(), context(project, "Extract/job012"))


def test_continuing_keeps_what_is_finished(project: Path) -> None:
    job = context(project, "Extract/job012")
    run(extract_spec(), job)
    before = (job.directory / "particles.star").read_bytes()
    stack = job.directory / "Movies/mic1.mrcs"
    changed = read_stack(stack)
    stack.write_bytes(stack.read_bytes()[:1024] + (changed * 0).tobytes())
    (job.directory / "Movies/mic2.mrcs").unlink()
    (job.directory / "particles.star").unlink()
    again = context(project, "Extract/job012", continuing=True)
    result = run(extract_spec(), again)
    assert result.counts["kept_micrographs"] == 2
    assert not read_stack(stack).any() and (job.directory / "Movies/mic2.mrcs").exists()
    assert (job.directory / "particles.star").read_bytes() == before
    result = run(extract_spec(tab={"particle_box_size": 20}), again)
    assert result.counts["kept_micrographs"] == 0 and read_header(stack).nx == 20


KILLED = """
import os, signal, sys
from pathlib import Path
from helpers.particle_project import context, extract_spec
from cryoflow.jobs.extract import stack
from cryoflow.jobs.extract.run import run

write, tables = stack.write_table, []

def die_at_the_second(*arguments):
    tables.append(arguments)
    if len(tables) == 2:  # its stack is there, its table is not
        os.kill(os.getpid(), signal.SIGKILL)
    write(*arguments)

stack.write_table = die_at_the_second
run(extract_spec(), context(Path(sys.argv[1]), "Extract/job012"))
"""


def test_a_killed_run_goes_on_at_the_next_micrograph(project: Path) -> None:
    run(extract_spec(), context(project, "Extract/job001"))
    paths = {"PYTHONPATH": os.pathsep.join((*sys.path, str(Path(__file__).parents[1])))}
    dead = subprocess.run([sys.executable, "-c", KILLED, str(project)], env={**os.environ, **paths})
    assert dead.returncode == -signal.SIGKILL
    job = project / "Extract/job012"
    first = job / "Movies/mic1.mrcs"
    before = first.stat()
    assert not (job / "particles.star").exists() and not (job / "Movies/mic2_extract.star").exists()
    result = run(extract_spec(), context(project, "Extract/job012", continuing=True))
    assert result.counts["kept_micrographs"] == 1 and result.counts["particles"] == 15
    assert first.stat().st_mtime_ns == before.st_mtime_ns and first.stat().st_ino == before.st_ino
    for name in ("mic1.mrcs", "mic2.mrcs", "mic3.mrcs"):
        whole = (project / "Extract/job001/Movies" / name).read_bytes()
        assert (job / "Movies" / name).read_bytes() == whole
    tables = [(project / f"Extract/{name}/particles.star").read_text() for name in ("job001", "job012")]
    assert tables[1].replace("job012", "job001") == tables[0]


@pytest.mark.parametrize("tab", [{"invert_contrast": False}, {"diameter_background_circle": 16}])
def test_continuing_with_other_settings_makes_the_stacks_anew(project: Path, tab: dict[str, Any]) -> None:
    run(extract_spec(), context(project, "Extract/job012"))
    result = run(extract_spec(tab=tab), context(project, "Extract/job012", continuing=True))
    assert result.counts["kept_micrographs"] == 0
    run(extract_spec(tab=tab), context(project, "Extract/job013"))
    stacks = [project / f"Extract/{job}/Movies/mic1.mrcs" for job in ("job012", "job013")]
    assert stacks[0].read_bytes() == stacks[1].read_bytes()


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


def refined(project: Path, **columns: Any) -> None:
    job = context(project, "Extract/job007")
    run(extract_spec(tab={"rescale_particles": True, "re_scaled_size": 12}), job)
    rows = read_particles(job.directory / "particles.star").rows
    rng = np.random.default_rng(0)
    offsets = {f"rlnOrigin{axis}": rng.uniform(-3, 3, len(rows)) for axis in "XY"}
    write_star(project / "data.star", {"": rows.assign(**{**offsets, **columns}).iloc[::-1]})


def again(project: Path, **io: Any) -> pd.DataFrame:
    given = {
        "input_coordinates": None,
        "re_extract_refined_particles": True,
        "refined_particles_star_file": "data.star",
        **io,
    }
    job = context(project, "Extract/job020")
    result = run(extract_spec(io=given), job)
    assert result.outputs[-1] == "Extract/job020/coords_suffix_extract.star"
    return read_particles(job.directory / "particles.star").rows


def test_refined_offsets_kept_reset_or_moved_into_the_coordinates(project: Path) -> None:
    refined(project)
    given = read_particles(project / "data.star").rows.iloc[::-1].reset_index(drop=True)
    given = given.sort_values("rlnMicrographName", kind="stable")
    order = [i for number in range(3) for i in range(5 * number + 4, 5 * number - 1, -1)]
    given = given.iloc[order].reset_index(drop=True)
    kept = again(project)
    assert pixel_size(kept).tolist() == [PIXEL] * 15
    for axis in "XY":
        np.testing.assert_allclose(kept[f"rlnOrigin{axis}"], 2 * given[f"rlnOrigin{axis}"], atol=1e-5)
        np.testing.assert_allclose(kept[f"rlnCoordinate{axis}"], given[f"rlnCoordinate{axis}"], atol=1e-5)
    reset = again(project, reset_the_refined_offsets_to_zero=True)
    assert (reset[["rlnOriginX", "rlnOriginY"]] == 0).all(axis=None)
    moved = again(project, re_center_refined_coordinates=True)
    for axis in "XY":
        truth = given[f"rlnCoordinate{axis}"] - 2 * given[f"rlnOrigin{axis}"]
        origin = moved[f"rlnOrigin{axis}"]
        np.testing.assert_allclose(moved[f"rlnCoordinate{axis}"] - origin, truth, atol=1e-5)
        assert origin.abs().max() <= 0.5 + 1e-6


def test_recentring_on_a_point_follows_each_particles_orientation(project: Path) -> None:
    zero = {"rlnOriginX": 0.0, "rlnOriginY": 0.0}
    refined(project, rlnAngleRot=30.0, rlnAngleTilt=90.0, rlnAnglePsi=90.0, **zero)
    plain = again(project, re_center_refined_coordinates=True)
    moved = again(project, re_center_refined_coordinates=True, re_center_on_z_coordinate=2.0)
    # tilted by 90 degrees, z of the reference lies along -x; turned by psi = 90 degrees it comes to +y
    np.testing.assert_allclose(moved["rlnCoordinateX"] - plain["rlnCoordinateX"], 0, atol=1e-5)
    np.testing.assert_allclose(moved["rlnCoordinateY"] - plain["rlnCoordinateY"], 4, atol=1e-5)
    refined(project, rlnAnglePsi=90.0, **zero)
    moved = again(project, re_center_refined_coordinates=True, re_center_on_x_coordinate=2.0)
    np.testing.assert_allclose(moved["rlnCoordinateY"] - plain["rlnCoordinateY"], -4, atol=1e-5)


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


def test_coordinates_without_rows_give_a_table_without_rows(project: Path) -> None:
    for number in (1, 2, 3):
        write_star(project / f"AutoPick/job011/Movies/mic{number}_autopick.star", {"": picks(1).iloc[:0]})
    job = context(project, "Extract/job012")
    result = run(extract_spec(), job)
    assert result.counts["particles"] == 0 and any("no particles" in line for line in listener(job).warned)
    assert len(read_particles(job.directory / "particles.star").rows) == 0


@pytest.mark.parametrize(
    ("io", "message"),
    [
        ({"input_coordinates": "AutoPick/job099"}, "AutoPick/job099"),
        ({"micrograph_star_file": "empty.star"}, "holds no micrographs"),
        ({"micrograph_star_file": "others.star", "input_coordinates": "AutoPick/job011"}, "others.star"),
        (
            {"micrograph_star_file": "twice.star"},
            "job002/a.mrc and MotionCorr/job005/a.mrc would write the same",
        ),
        ({"micrograph_star_file": "again.star"}, "mic1.mrc and .*mic1.mrc would write the same stack"),
        ({"micrograph_star_file": "novoltage.star"}, "rlnVoltage"),
        ({"micrograph_star_file": "noname.star"}, "noname.star: .*rlnMicrographName.*coords_suffix_autopick"),
    ],
)
def test_what_cannot_work_is_told_in_one_line(project: Path, io: dict[str, str], message: str) -> None:
    rows = micrograph_rows()
    write_star(project / "empty.star", {"": rows.iloc[:0]})
    write_star(project / "others.star", {"": rows.assign(rlnMicrographName=["a.mrc", "b.mrc", "c.mrc"])})
    names = ["MotionCorr/job002/a.mrc", "MotionCorr/job005/a.mrc", "b.mrc"]
    write_star(project / "twice.star", {"": rows.assign(rlnMicrographName=names)})
    write_star(project / "again.star", {"": rows.iloc[[0, 1, 0]]})
    write_star(project / "novoltage.star", {"": rows.drop(columns="rlnVoltage")})
    write_star(project / "noname.star", {"": rows.drop(columns="rlnMicrographName")})
    with pytest.raises(FileError, match=message) as caught:
        run(extract_spec(io=io), context(project, "Extract/job012"))
    assert "\n" not in str(caught.value)


def test_refined_particles_of_other_micrographs_name_both_files(project: Path) -> None:
    refined(project, rlnMicrographName="elsewhere.mrc")
    with pytest.raises(FileError, match=r"data.star.*rlnMicrographName.*micrographs_ctf.star"):
        again(project)
    rows = read_particles(project / "data.star").rows
    write_star(project / "data.star", {"": rows.drop(columns="rlnMicrographName")})
    with pytest.raises(FileError, match=r"data.star: lacks .*rlnMicrographName.*micrographs_ctf.star"):
        again(project)


@pytest.mark.parametrize("column", ["rlnOriginX", "rlnAnglePsi"])
def test_a_refined_value_that_is_no_number_is_told(project: Path, column: str) -> None:
    refined(project, rlnAnglePsi=0.0)
    rows = read_particles(project / "data.star").rows
    rows.loc[3, column] = np.nan
    write_star(project / "data.star", {"": rows})
    with pytest.raises(FileError, match=rf"data.star: {column} of row 4 is not a finite number$"):
        again(project)


def test_refined_particles_of_other_optics_are_told(project: Path) -> None:
    refined(project)
    rows = micrograph_rows().assign(rlnVoltage=[200.0, 300.0, 200.0], rlnOpticsGroup=[1, 2, 1])
    path = project / "CtfFind/job003/micrographs_ctf.star"
    write_table(path, Table(rows, "3.1", path, "micrographs"))
    given = {"re_extract_refined_particles": True, "refined_particles_star_file": "data.star"}
    job = context(project, "Extract/job012")
    run(extract_spec(io={**given, "input_coordinates": None}), job)
    (told,) = [line for line in listener(job).warned if "rlnVoltage" in line]
    assert told == (
        "data.star: rlnVoltage of 5 particles is not that of their micrographs in "
        "CtfFind/job003/micrographs_ctf.star (200, but MotionCorr/job002/Movies/mic2.mrc has 300); "
        "the particles' is kept"
    )
    voltage = read_particles(job.directory / "particles.star").rows["rlnVoltage"]
    assert voltage.tolist() == [200.0] * 15
