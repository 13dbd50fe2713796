"""One place names the files of a micrograph, and finds the micrograph that other programs' names mean."""

import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.coordinates import read_coordinate_list, read_coordinate_table, read_coordinates
from cryoflow.files.job_paths import (
    check_files_written,
    check_one_file_each,
    micrograph_file,
    stem_below_job,
)
from cryoflow.files.micrograph_names import MicrographNames
from cryoflow.files.star import write_star

DOTTED = ["x_2019.07.04_1.mrc", "x_2019.07.04_2.mrc", "Movies/a.frames.mrc", "Movies/a.frames.aligned.MRC"]


def put(path: Path, x: float = 1.0) -> Path:
    write_star(path, {"": pd.DataFrame({"rlnCoordinateX": [x], "rlnCoordinateY": [2.0]})})
    return path


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a_12.49.31.mrc", "a_12.49.31"),
        ("a_12.49.31", "a_12.49.31"),
        ("MotionCorr/job002/M/a.b.c.tiff", "M/a.b.c"),
        ("a.mrc.mrcs", "a.mrc"),
        ("M.1/a", "M.1/a"),
    ],
)
def test_only_the_ending_of_an_image_is_cut_off(name: str, stem: str) -> None:
    assert stem_below_job(name) == stem
    assert micrograph_file(Path("Job/job007"), name, "_pick.star") == Path(f"Job/job007/{stem}_pick.star")


@given(st.lists(st.from_regex(r"\A[a-c.]{0,2}[ab_][a-c._]{0,4}\Z"), unique=True, min_size=2))
def test_two_micrographs_share_no_file(stems: list[str]) -> None:
    names = [f"Movies/{stem}.mrc" for stem in stems]
    files = {micrograph_file(Path("AutoPick/job010"), name, "_autopick.star") for name in names}
    assert len(files) == len(names)


def test_names_that_would_share_a_file_are_refused() -> None:
    check_one_file_each("t.star", DOTTED, "stack")
    with pytest.raises(FileError, match=r"t.star: a.mrc and a.tif would write the same stack; rename one"):
        check_one_file_each("t.star", ["a.mrc", "b.mrc", "a.tif"], "stack")
    with pytest.raises(FileError, match=r"t.star: names the micrograph a.mrc twice; remove one of the rows"):
        check_one_file_each("t.star", ["a.mrc", "b.mrc", "a.mrc"], "stack")


def test_files_are_counted_at_the_end(tmp_path: Path) -> None:
    files = [put(tmp_path / "a.star"), put(tmp_path / "b.star")]
    check_files_written(tmp_path, files)
    with pytest.raises(FileError, match=r"a.star: was written for two micrographs"):
        check_files_written(tmp_path, [*files, files[0]])
    with pytest.raises(FileError, match=r"c.star: disappeared"):
        check_files_written(tmp_path, [*files, tmp_path / "c.star"])


def test_names_are_found_below_jobs_and_by_folders() -> None:
    names = MicrographNames(
        ["MotionCorr/job002/M/day1/1.mrc", "MotionCorr/job002/M/day2/1.mrc", "Raw/x.y.mrc"]
    )
    first, second, third = "MotionCorr/job002/M/day1/1.mrc", "MotionCorr/job002/M/day2/1.mrc", "Raw/x.y.mrc"
    for name, meant in [
        (first, first),
        ("CtfFind/job003/M/day2/1.mrc", second),
        ("/data/user/day2/1.tif", second),
        ("x.y", third),
        ("x.y.mrc", third),
        ("x.mrc", None),
        ("Other/x.y.mrc", None),
        ("day3/1.mrc", None),
    ]:
        assert names.find(name) == meant, name
    with pytest.raises(
        CryoflowError, match=re.escape(f"1.mrc is ambiguous: {first} or {second}; give the names")
    ):
        names.find("1.mrc")


def test_of_equal_names_the_exact_one_counts() -> None:
    names = MicrographNames(["MotionCorr/job002/a.mrc", "MotionCorr/job005/a.mrc"])
    assert names.find("MotionCorr/job005/a.mrc") == "MotionCorr/job005/a.mrc"
    with pytest.raises(CryoflowError, match="is ambiguous"):
        names.find("MotionCorr/job009/a.mrc")


def found(folder: Path, names: list[str]) -> dict[str, str]:
    pairs = read_coordinate_list(folder, folder.parent, names)
    return {name: file.relative_to(folder).as_posix() for name, file in pairs}


def test_a_file_serves_one_micrograph_only(tmp_path: Path) -> None:
    names = [f"Raw/set{i}/001.mrc" for i in (1, 2, 3)]
    put(tmp_path / "p/set3/001_x.star")
    assert found(tmp_path / "p", names) == {names[2]: "set3/001_x.star"}
    put(tmp_path / "flat/001.star")
    with pytest.raises(
        FileError, match=r"flat: 001.star may be of Raw/set1/001.mrc or of Raw/set2/001.mrc; put"
    ):
        found(tmp_path / "flat", names)


def test_as_many_folders_count_as_agree(tmp_path: Path) -> None:
    names = [f"Import/job001/{grid}/{day}/1.2.mrc" for grid in "AB" for day in ("d1", "d2")]
    for grid in "AB":
        for day in ("d1", "d2"):
            put(tmp_path / f"p/run/{grid}/{day}/1.2_topaz.star")
    assert found(tmp_path / "p", names) == {
        name: f"run/{name.removeprefix('Import/job001/').removesuffix('.mrc')}_topaz.star" for name in names
    }


def test_the_given_folder_itself_may_be_the_one_that_agrees(tmp_path: Path) -> None:
    put(tmp_path / "p/d2/1.star")
    assert found(tmp_path / "p/d2", ["M/d1/1.mrc", "M/d2/1.mrc"]) == {"M/d2/1.mrc": "1.star"}


def test_files_of_micrographs_that_are_not_asked_for_are_left(tmp_path: Path) -> None:
    for name in ("mic1_pick", "mic1_2_pick", "mic3_4_pick", "mic5_pick"):
        put(tmp_path / f"p/{name}.star")
    names = ["M/mic1.mrc", "M/mic3.mrc", "M/mic5.mrc"]
    assert found(tmp_path / "p", names) == {"M/mic1.mrc": "mic1_pick.star", "M/mic5.mrc": "mic5_pick.star"}
    put(tmp_path / "q/set1/a.star")
    put(tmp_path / "q/set2/b.star")
    assert found(tmp_path / "q", ["set1/a.mrc", "set1/b.mrc"]) == {"set1/a.mrc": "set1/a.star"}


def test_boxes_of_eman_are_read_by_their_centres(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b/m.1.box").write_text("10 20 64 32\n\n# by hand\n-5\t7.5\t101\t101\t-3\n")
    pairs = read_coordinate_list(tmp_path / "b", tmp_path, ["M/m.1.mrc"])
    assert pairs == [("M/m.1.mrc", tmp_path / "b/m.1.box")]
    rows = read_coordinates(pairs[0][1])
    assert rows[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy().tolist() == [[42, 36], [45.5, 58]]
    (tmp_path / "b/m.1.box").write_text("10 20 64 32\n1 2 3\n")
    with pytest.raises(FileError, match=r"m.1.box:2: expected x, y, width and height of a box"):
        read_coordinates(pairs[0][1])


def test_files_of_other_kinds_are_named(tmp_path: Path) -> None:
    for name in ("a.xml", "b.xml", "c.txt"):
        (tmp_path / name).write_text("")
    with pytest.raises(FileError, match=r"holds no coordinate files .*; it has 2 .xml, 1 .txt"):
        read_coordinate_list(tmp_path, tmp_path, ["M/a.mrc"])


def test_lists_that_share_a_file_are_refused(tmp_path: Path) -> None:
    """Written so by versions that took an inner dot for an extension."""
    block = pd.DataFrame({"rlnMicrographName": ["a.1.mrc", "a.2.mrc"], "rlnMicrographCoordinates": "a.star"})
    write_star(tmp_path / "autopick.star", {"coordinate_files": block})
    with pytest.raises(
        FileError, match=r"gives a.1.mrc and a.2.mrc the same coordinates, a.star; pick again"
    ):
        read_coordinate_list(tmp_path / "autopick.star", tmp_path)


def test_one_table_of_all_coordinates(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {
            "rlnMicrographName": ["a.mrc", "b.mrc"],
            "rlnCoordinateX": [1.0, 2.0],
            "rlnCoordinateY": [3.0, 4.0],
            "rlnAutopickFigureOfMerit": [-1.0, 2.5],
        }
    )
    path = tmp_path / "all.star"
    write_star(path, {"": rows})
    pd.testing.assert_frame_equal(read_coordinate_table(path), rows)
    write_star(path, {"Particles": rows.assign(rlnImageName="1@a.mrcs", rlnMagnification=1e4)})
    pd.testing.assert_frame_equal(read_coordinate_table(path), rows)
    write_star(path, {"": rows.assign(rlnOriginX=[0.0, 0.5])})
    with pytest.raises(
        FileError, match=r"all.star: has refined offsets .*'OR re-extract refined particles\?'"
    ):
        read_coordinate_table(path)
    assert read_coordinate_table(put(tmp_path / "one.star")) is None
