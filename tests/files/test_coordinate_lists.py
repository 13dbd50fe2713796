"""Coordinates are found beside a suffix file, through RELION 4's table, and in a folder."""

import re
from pathlib import Path

import pandas as pd
import pytest

from cryoflow.errors import FileError
from cryoflow.files.coordinates import (
    read_coordinate_list,
    read_coordinates,
    read_suffix_file,
    write_suffix_file,
)
from cryoflow.files.star import write_star

MICROGRAPHS = ["MotionCorr/job002/Movies/mic1.mrc", "MotionCorr/job002/Movies/mic1_2.mrc", "Other/mic3.mrc"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_star(tmp_path / "CtfFind/job003/mics.star", {"": pd.DataFrame({"rlnMicrographName": MICROGRAPHS})})
    return tmp_path


def put(path: Path) -> Path:
    write_star(path, {"": pd.DataFrame({"rlnCoordinateX": [1.0], "rlnCoordinateY": [2.0]})})
    return path


def test_suffix_files_name_the_micrographs(project: Path) -> None:
    job = project / "AutoPick/job010"
    files = [put(job / "Movies/mic1_autopick.star"), put(job / "Other/mic3_autopick.star")]
    (job / "coords_suffix_autopick.star").write_text("CtfFind/job003/mics.star\n")
    found = read_coordinate_list(job / "coords_suffix_autopick.star", project)
    assert found == [(MICROGRAPHS[0], files[0]), (MICROGRAPHS[2], files[1])]


def test_suffix_files_name_tables_with_blanks(project: Path) -> None:
    table = "my micrographs/ctf.star"
    write_star(project / table, {"": pd.DataFrame({"rlnMicrographName": MICROGRAPHS})})
    file, suffix = put(project / "job010/Other/mic3_pick.star"), project / "job010/coords_suffix_pick.star"
    write_suffix_file(suffix, table)
    assert suffix.read_bytes() == b"my micrographs/ctf.star\n" and read_suffix_file(suffix) == table
    assert read_coordinate_list(suffix, project) == [(MICROGRAPHS[2], file)]


def test_names_may_begin_with_a_dot(project: Path) -> None:
    """Picking writes below the folder of its job what this looks for there."""
    name = f"./{MICROGRAPHS[0]}"
    write_star(project / "mics.star", {"": pd.DataFrame({"rlnMicrographName": [name]})})
    file = put(project / "AutoPick/job010/Movies/mic1_autopick.star")
    (project / "AutoPick/job010/coords_suffix_autopick.star").write_text("mics.star\n")
    assert read_coordinate_list(file.parent.parent / "coords_suffix_autopick.star", project) == [(name, file)]


def test_tables_of_relion_4(project: Path) -> None:
    block = pd.DataFrame(
        {"rlnMicrographName": MICROGRAPHS[:1], "rlnMicrographCoordinates": ["AutoPick/job010/a.star"]}
    )
    write_star(project / "autopick.star", {"coordinate_files": block}, "3.1")
    found = read_coordinate_list(project / "autopick.star", project)
    assert found == [(MICROGRAPHS[0], project / "AutoPick/job010/a.star")]


def test_folders_are_searched(project: Path) -> None:
    files = [put(project / "picks/x/mic1.star"), put(project / "picks/mic1_2_manual_pick.star")]
    put(project / "picks/.mic3.star")
    put(project / "picks/coords_suffix_mic3.star")
    put(project / "picks/mic4_autopick.star")
    found = read_coordinate_list(project / "picks", project, MICROGRAPHS)
    assert found == [(MICROGRAPHS[0], files[0]), (MICROGRAPHS[1], files[1])]


def test_the_same_name_in_two_folders_goes_by_the_folder(project: Path) -> None:
    names = ["Import/job001/Grid1/a.mrc", "Import/job001/Grid2/a.mrc"]
    files = [put(project / "picks/Grid1/a_autopick.star"), put(project / "picks/Grid2/a_autopick.star")]
    assert read_coordinate_list(project / "picks", project, names) == list(zip(names, files, strict=True))


def test_what_is_wrong_is_told(project: Path) -> None:
    folder = project / "picks"
    put(folder / "a" / "mic3_autopick.star")
    put(folder / "a" / "mic3_manualpick.star")
    with pytest.raises(
        FileError, match=r"picks: two coordinate files for Other/mic3.mrc: a/mic3_autopick.star and a/mic3_m"
    ):
        read_coordinate_list(folder, project, MICROGRAPHS)
    with pytest.raises(
        FileError, match=r"picks: a folder of coordinates needs the names of the micrographs as well$"
    ):
        read_coordinate_list(folder, project)
    suffix = folder / "coords_suffix_autopick.star"
    for text in ("two\nlines\n", "compr\0ssed"):
        suffix.write_text(text)
        with pytest.raises(
            FileError, match=r"autopick.star: expected one line that names a STAR file of micrographs$"
        ):
            read_coordinate_list(suffix, project)
    suffix.write_text("gone.star\n")
    with pytest.raises(FileError, match=r"gone.star: no such file$"):
        read_coordinate_list(suffix, project)
    message = "expected a table data_coordinate_files with rlnMicrographName and rlnMicrographCoordinates"
    with pytest.raises(
        FileError, match=f"{re.escape(message)}, or a coords_suffix_\\*.star file, or a folder$"
    ):
        read_coordinate_list(project / "CtfFind/job003/mics.star", project)


def test_coordinates_of_one_micrograph(project: Path) -> None:
    assert read_coordinates(put(project / "a.star"))["rlnCoordinateY"].tolist() == [2.0]
    with pytest.raises(
        FileError, match=r"mics.star: holds no coordinates: no table with rlnCoordinateX and rlnC"
    ):
        read_coordinates(project / "CtfFind/job003/mics.star")


def test_relion_leaves_a_comment_where_it_finds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mic001_autopick.star"
    path.write_text("# RELION; version 3.0.8\n")
    table = read_coordinates(path)
    assert len(table) == 0 and list(table.columns) == ["rlnCoordinateX", "rlnCoordinateY"]
