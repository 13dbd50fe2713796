"""Coordinates of other programs and tables without a pixel size come to the same particles."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.particle_project import PIXEL, context, extract_spec, listener, micrograph_rows, picks

from cryoflow.errors import FileError
from cryoflow.files.convert import Micrographs, Wanted, convert
from cryoflow.files.formats import FORMATS, Picks
from cryoflow.files.star import write_star
from cryoflow.files.tables import pixel_size, read_particles
from cryoflow.jobs.extract.run import run

PLACES = ["rlnCoordinateX", "rlnCoordinateY"]


def extracted(project: Path, **io: object) -> tuple[pd.DataFrame, list[str]]:
    here = context(project, "Extract/job012")
    run(extract_spec(io=io), here)
    return read_particles(project / "Extract/job012/particles.star").rows, listener(here).warned


@pytest.mark.parametrize("prefix", ["MotionCorr/job002/Movies/", "/other/disk/Movies/", ""])
def test_one_table_for_all_micrographs(project: Path, prefix: str) -> None:
    expected, _ = extracted(project)
    tables = [picks(number).assign(rlnMicrographName=f"{prefix}mic{number}.mrc") for number in (3, 1, 2)]
    write_star(project / "all.star", {"": pd.concat(tables)})
    rows, _ = extracted(project, input_coordinates="all.star")
    pd.testing.assert_frame_equal(rows[expected.columns], expected, rtol=0, atol=1e-6)
    refined = {"re_extract_refined_particles": True, "refined_particles_star_file": "all.star"}
    again, _ = extracted(project, input_coordinates=None, **refined)
    np.testing.assert_allclose(again[PLACES], expected[PLACES], atol=1e-6)


@pytest.mark.parametrize("kind", ["topaz", "csv", "cs", "cbox", "json", "box"])
def test_picks_of_other_programs_come_to_the_same_particles(project: Path, kind: str) -> None:
    expected, _ = extracted(project)
    rows = pd.concat([picks(number).assign(rlnMicrographName=f"mic{number}.mrc") for number in (3, 1, 2)])
    table = project / "CtfFind/job003/micrographs_ctf.star"
    one_each = FORMATS[kind].one_each
    given = "Theirs" if one_each else f"theirs{FORMATS[kind].ending}"
    convert(Picks(rows), project / given, Wanted(kind, box_px=24.0), Micrographs(table, project))
    found, _ = extracted(project, input_coordinates=given)
    tolerance = 0.01 if kind == "cs" else 1e-6
    np.testing.assert_allclose(found[PLACES], expected[PLACES], rtol=0, atol=tolerance)
    assert found["rlnMicrographName"].tolist() == expected["rlnMicrographName"].tolist()


def test_names_that_do_not_match_are_shown(project: Path) -> None:
    write_star(project / "all.star", {"": picks(1).assign(rlnMicrographName="Other/mic1.mrc")})
    told = r"all.star: rlnMicrographName matches none of the micrographs of .*; it has Other/mic1.mrc, they"
    with pytest.raises(FileError, match=told):
        extracted(project, input_coordinates="all.star")


def test_boxes_are_cut_at_their_centres(project: Path) -> None:
    folder = project / "Box/Movies"
    folder.mkdir(parents=True)
    (folder / "mic2.box").write_text("20 10 24 24\n30\t20\t24\t24\n")
    rows, _ = extracted(project, input_coordinates="Box")
    assert rows[PLACES].to_numpy().tolist() == [[32, 22], [42, 32]]
    assert set(rows["rlnMicrographName"]) == {"MotionCorr/job002/Movies/mic2.mrc"}


def test_headers_tell_the_pixel_size_that_the_table_lacks(project: Path) -> None:
    table = micrograph_rows().drop(columns=["rlnMagnification", "rlnDetectorPixelSize"])
    write_star(project / "CtfFind/job003/micrographs_ctf.star", {"": table})
    rows, warned = extracted(project)
    assert set(pixel_size(rows)) == {PIXEL}
    assert any(
        "using the pixel size 2 A from the header of MotionCorr/job002/Movies/mic1.mrc" in line
        for line in warned
    )
