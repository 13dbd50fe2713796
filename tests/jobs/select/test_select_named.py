"""Rows that a file names."""

from pathlib import Path

import pandas as pd
import pytest
from helpers.select_job import MICROGRAPHS, MODEL, PARTICLES, classified, given_rows, kept, select

from cryoflow.errors import FileError
from cryoflow.files.star import write_star
from cryoflow.files.tables import read_micrographs

NAMED = {
    "images.txt": "# eye\n2@Extract/job012/Movies/mic1.mrcs\n\n5@Extract/job012/Movies/mic3.mrcs # ok",
    "places.txt": "MotionCorr/job002/Movies/mic1.mrc {1x:.0f} {1y:.0f}\n"
    "MotionCorr/job002/Movies/mic3.mrc {14x} {14y}",
}


@pytest.mark.parametrize("form", [*NAMED, "images.star", "places.star"])
def test_rows_that_a_file_names(project: Path, form: str) -> None:
    rows, wanted = given_rows(project), [1, 14]
    places = {f"{i}{axis.lower()}": rows[f"rlnCoordinate{axis}"][i] for i in wanted for axis in "XY"}
    if form.endswith(".txt"):
        text = NAMED[form]
        for key, value in places.items():
            text = text.replace(f"{{{key}:.0f}}", f"{value:.0f}").replace(f"{{{key}}}", str(value))
        (project / form).write_text(text)
    else:
        columns = ["rlnImageName"] if form == "images.star" else []
        columns += ["rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY"]
        write_star(project / form, {"": rows.loc[wanted[::-1], columns]})
    result, report = select(project, io=PARTICLES, selection={"rows_in": form})
    assert kept(project) == rows["rlnImageName"][wanted].tolist()
    assert report.said[0] == f"listed in {form}: 2 of 15 particles"
    assert result.inputs == ("Extract/job012/particles.star", form)
    select(project, io=PARTICLES, selection={"rows_in": form, "invert": True})
    assert kept(project) == rows["rlnImageName"].drop(wanted).tolist()


def test_micrographs_that_a_file_names(project: Path) -> None:
    names = "MotionCorr/job002/Movies/mic3.mrc\nMotionCorr/job002/Movies/mic9.mrc\n"
    (project / "good.txt").write_text(names)
    selection = {"rows_in": "good.txt"}
    _, report = select(project, io={"select_from_micrographs_star": MICROGRAPHS}, selection=selection)
    kept_rows = read_micrographs(project / "Select/job014/micrographs.star").rows
    assert kept_rows["rlnMicrographName"].tolist() == ["MotionCorr/job002/Movies/mic3.mrc"]
    assert report.said[0] == "listed in good.txt (1 of its 2 names were not found): 1 of 3 micrographs"
    result, _ = select(project, io=PARTICLES, selection=selection)
    assert len(kept(project)) == 5 and all("mic3" in name for name in kept(project))
    coordinates = {"select_from_picked_coords": "AutoPick/job011/coords_suffix_autopick.star"}
    result, _ = select(project, io=coordinates, selection=selection)
    assert result.counts["micrographs"] == 1 and result.inputs[-1] == "good.txt"
    classified(project)
    result, _ = select(project, io=MODEL, selection={"rows_in": "good.txt", "classes": [2]})
    assert kept(project) == given_rows(project)["rlnImageName"][[10, 13]].tolist()
    assert "good.txt" in result.inputs


def test_micrographs_are_named_as_in_any_job(project: Path) -> None:
    """As Extract joins its coordinates: below the job, by the last folders, or by the file's name alone."""
    for name in ("CtfFind/job003/Movies/mic3.mrc", "/data/Movies/mic3.mrc", "mic3", "Movies/mic3.mrc"):
        (project / "good.txt").write_text(f"{name}\n")
        select(project, io=PARTICLES, selection={"rows_in": "good.txt"})
        assert len(kept(project)) == 5 and all("mic3" in image for image in kept(project))
    rows = given_rows(project)
    places = rows.assign(
        rlnMicrographName=[name.replace("MotionCorr/job002/", "") for name in rows["rlnMicrographName"]]
    )
    columns = ["rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY"]
    write_star(project / "places.star", {"": places.loc[[1, 14], columns]})
    select(project, io=PARTICLES, selection={"rows_in": "places.star"})
    assert kept(project) == rows["rlnImageName"][[1, 14]].tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "Other/mic3.mrc\n",
            r"lists 1 rows, but .*; it has Other/mic3.mrc, they have MotionCorr/job002/M.*1.mrc$",
        ),
        ("7@elsewhere.mrcs\n", r"rows.txt: lists 1 rows, but none of the particles of .*particles.star"),
        ("a.mrcs 12 b\n", r"rows.txt:1: 'a.mrcs 12 b' is neither an image"),
        ("x@a.mrcs\n", r"rows.txt:1: 'x@a.mrcs' is neither an image"),
    ],
)
def test_files_that_name_no_rows(project: Path, text: str, message: str) -> None:
    (project / "rows.txt").write_text(text)
    with pytest.raises(FileError, match=message) as caught:
        select(project, io=PARTICLES, selection={"rows_in": "rows.txt"})
    assert "\n" not in str(caught.value)
    write_star(project / "rows.star", {"": pd.DataFrame({"rlnDefocusU": [1.0]})})
    with pytest.raises(FileError, match=r"rows.star: lists no rows"):
        select(project, io=PARTICLES, selection={"rows_in": "rows.star"})
