"""Refined particles extracted again."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.particle_project import (
    PIXEL,
    context,
    extract_spec,
    listener,
    micrograph_rows,
)

from cryoflow.errors import FileError
from cryoflow.files.star import write_star
from cryoflow.files.tables import Table, pixel_size, read_particles, write_table
from cryoflow.jobs.extract.run import run


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
        "data.star: rlnVoltage of 5 particles differs from that of their micrographs in "
        "CtfFind/job003/micrographs_ctf.star (200, but MotionCorr/job002/Movies/mic2.mrc has 300); "
        "the particles' value is kept"
    )
    voltage = read_particles(job.directory / "particles.star").rows["rlnVoltage"]
    assert voltage.tolist() == [200.0] * 15
