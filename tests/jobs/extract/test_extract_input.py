"""Micrographs and coordinates that Extract sets aside, warns of or refuses."""

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

from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.mrc import read_stack, write_mrc
from cryoflow.files.star import write_star
from cryoflow.files.tables import read_particles
from cryoflow.jobs.extract.run import run

BREAKAGES = {
    "missing": "micrographs_ctf.star: names the micrograph MotionCorr/job002/Movies/mic2.mrc",
    "truncated": "mic2.mrc: truncated",
    "coordinates": "mic2_autopick.star: holds no coordinates",
    "a coordinate": "mic2_autopick.star: the coordinates of row 2 are not finite",
    "pixels": "contain pixels that are not finite",
    "defocus": "rlnDefocusU of MotionCorr/job002/Movies/mic2.mrc is not finite",
    "size": "mic2.mrc: is 20 x 23 pixels, smaller than a box of 24",
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
        ({"micrograph_star_file": "again.star"}, "names the micrograph .*mic1.mrc twice; remove"),
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


def corner(project: Path, scale: float) -> list[str]:
    """Extract from twelve places each, of coordinates that are ``scale`` times as large as they should be."""
    places = np.random.default_rng(7).uniform((5, 5), (75, 56), (12, 2)) * scale
    rows = pd.DataFrame(places, columns=["rlnCoordinateX", "rlnCoordinateY"])
    for number in (1, 2, 3):
        write_star(project / f"AutoPick/job011/Movies/mic{number}_autopick.star", {"": rows})
    here = context(project, "Extract/job012")
    run(extract_spec(), here)
    return [line for line in listener(here).warned if "coordinates lie" in line]


def test_coordinates_of_another_scale_are_told(project: Path) -> None:
    assert corner(project, 1.0) == []
    (binned,) = corner(project, 0.5)
    assert (
        binned.startswith("all 36 coordinates lie within 3") and "are they fractions, or of binned" in binned
    )
    (fractions,) = corner(project, 1 / 80)
    assert fractions.startswith("all 36 coordinates lie within 0.9") and "Give them in pixels" in fractions
    (beyond,) = corner(project, 2.0)
    assert "of 36 coordinates lie outside the micrographs; are they in A, or" in beyond


@pytest.mark.parametrize(("size", "warned"), [(32, True), (24, False), (16, False)])
def test_enlarging_is_warned_of(project: Path, size: int, warned: bool) -> None:
    job = context(project, "Extract/job012")
    run(extract_spec(tab={"rescale_particles": True, "re_scaled_size": size}), job)
    told = [line for line in listener(job).warned if f"are enlarged from 24 to {size} pixels" in line]
    assert bool(told) == warned
