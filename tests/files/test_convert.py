"""Whole conversions: names, flips, offsets, folders, lists; and what is missing is asked for in one line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cryoflow.cli import main
from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.convert import Micrographs, Wanted, convert, kind_of, read_any
from cryoflow.files.coordinates import read_coordinate_list, read_coordinate_table, read_coordinates
from cryoflow.files.formats.picks import IMAGE, NAME, SCORE, Picks, X, Y
from cryoflow.files.micrograph_names import MicrographNames
from cryoflow.files.mrc import write_mrc
from cryoflow.files.star import write_star

HEIGHT, WIDTH = 60, 90
NAMES = ["MotionCorr/job002/Movies/mic1.mrc", "MotionCorr/job002/Movies/mic2.mrc"]
TABLE = "CtfFind/job003/micrographs_ctf.star"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in NAMES:
        write_mrc(
            tmp_path / name, np.arange(HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH) % 7, 1.5
        )
    write_star(tmp_path / TABLE, {"": pd.DataFrame({NAME: NAMES})})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def topaz(project: Path) -> Path:
    path = project / "topaz.txt"
    path.write_text(
        "image_name\tx_coord\ty_coord\tscore\nmic2\t10\t20\t1.5\nmic1\t30\t40\t-2\nmic2\t11\t21\t0\n"
    )
    return path


def run(*words: str) -> int:
    return main(["convert", *words])


def test_topaz_to_a_picking_job_that_extract_reads(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    topaz(project)
    assert run("topaz.txt", "Picks", "--to", "relion", "--micrographs", TABLE) == 0
    said = capsys.readouterr().out
    assert "from the first pixel of the MRC file" in said and "y is not flipped" in said
    assert "3 picks on 2 micrographs: Picks (4 files)" in said
    assert (project / "Picks/coords_suffix_picks.star").read_text() == f"{TABLE}\n"
    for given in ("Picks/coords_suffix_picks.star", "Picks/picks.star"):
        found = dict(read_coordinate_list(project / given, project))
        assert sorted(found) == NAMES
        assert read_coordinates(found[NAMES[1]]).to_dict("list") == {
            X: [10.0, 11.0],
            Y: [20.0, 21.0],
            SCORE: [1.5, 0.0],
        }
    with Image.open(project / "Picks/overlay.png") as picture:
        assert picture.size == (WIDTH, HEIGHT)
        greenest = np.asarray(picture.convert("RGB")).astype(int)
    green = (greenest[..., 1] > 200) & (greenest[..., 0] < 100)
    y, x = np.nonzero(green)
    assert abs(x.mean() - 10.5) < 1 and abs(y.mean() - 20.5) < 1  # mic2 has the most picks


def test_a_flip_mirrors_rows(project: Path) -> None:
    assert run(str(topaz(project)), "out.csv", "--flip-y", "--micrographs", TABLE) == 0
    lines = (project / "out.csv").read_text().splitlines()
    assert lines == [
        "micrograph,x,y,score",
        f"{NAMES[1]},10,39,1.5",
        f"{NAMES[0]},30,19,-2",
        f"{NAMES[1]},11,38,0",
    ]


def test_scaling_multiplies(project: Path) -> None:
    assert run(str(topaz(project)), "out.txt", "--scale", "2.5") == 0
    assert (project / "out.txt").read_text().splitlines()[1] == "mic2\t25\t50\t1.5"


def test_boxes_need_a_size_and_have_it_from_their_source(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    topaz(project)
    assert run("topaz.txt", "boxes", "--to", "box") == 2
    assert capsys.readouterr().err == "boxes: boxes need a size in pixels; give --box\n"
    assert run("topaz.txt", "boxes", "--to", "box", "--box", "8") == 0
    assert (project / "boxes/mic2.box").read_text() == "6\t16\t8\t8\n7\t17\t8\t8\n"
    assert run("boxes", "cboxes", "--to", "cbox") == 0
    assert run("cboxes", "again", "--to", "box") == 0
    assert (project / "again/mic2.box").read_text() == (project / "boxes/mic2.box").read_text()


def test_what_programs_add_to_names_is_left_out(project: Path) -> None:
    names = ["a_autopick.star", "b_manualpick.star", "c_picks.star", "d_2.star", "e_pickled.star"]
    for name in names:
        (project / "AutoPick").mkdir(exist_ok=True)
        (project / "AutoPick" / name).write_text("data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n1 2\n")
    assert run("AutoPick", "boxes", "--to", "box", "--box", "8") == 0
    found = sorted(path.name for path in (project / "boxes").iterdir())
    assert found == ["a.box", "b.box", "c.box", "d_2.box", "e_pickled.box"]
    assert run("AutoPick/a_autopick.star", "one.csv") == 0
    assert (project / "one.csv").read_text() == "micrograph,x,y\na,1,2\n"


def test_info_files_keep_what_eman_wrote(project: Path) -> None:
    topaz(project)
    (project / "info").mkdir()
    (project / "info/mic1_info.json").write_text('{"quality": 5, "boxes": []}')
    assert run("topaz.txt", "info", "--to", "json") == 0
    text = (project / "info/mic1_info.json").read_text()
    assert '"quality": 5' in text and "-2.0" in text
    assert run("info", "out.csv", "--micrographs", TABLE) == 0
    assert f"{NAMES[0]},30,40,-2" in (project / "out.csv").read_text()


def test_cs_takes_the_size_of_the_micrographs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    topaz(project)
    assert run("topaz.txt", "out.cs") == 2
    assert (
        "fractions need the size of the micrographs; give them with --micrographs" in capsys.readouterr().err
    )
    assert run("topaz.txt", "out.cs", "--micrographs", TABLE) == 0
    found = np.load(project / "out.cs")
    assert found["location/center_x_frac"].tolist() == np.float32([10 / 90, 30 / 90, 11 / 90]).tolist()
    assert found["location/center_y_frac"].tolist() == np.float32([20 / 60, 40 / 60, 21 / 60]).tolist()
    assert found["location/micrograph_shape"].tolist() == [[HEIGHT, WIDTH]] * 3
    assert len(set(found["uid"].tolist())) == 3


def test_refined_offsets_are_applied_or_dropped_but_not_forgotten(project: Path) -> None:
    rows = pd.DataFrame(
        {
            IMAGE: ["000001@a.mrcs"], NAME: [NAMES[0]], X: [50.0], Y: [30.0],
            "rlnOriginX": [2.0], "rlnOriginY": [-3.0],
            "rlnMagnification": [1e4], "rlnDetectorPixelSize": [3.0],
        }
    )  # fmt: skip
    picks = Picks(rows)
    with pytest.raises(FileError, match=r"a.csv: the particles have refined offsets; choose --off"):
        convert(picks, Path("a.csv"), Wanted("csv"), None)
    with pytest.raises(
        FileError, match=r"a.csv: offsets are in particle pixels; give the pixel size of the microgr"
    ):
        convert(picks, Path("a.csv"), Wanted("csv", offsets="apply"), None)
    done = convert(picks, Path("a.csv"), Wanted("csv", offsets="apply", pixel_size_a=1.5), None)
    assert done.rows[[X, Y]].to_numpy().tolist() == [[46.0, 36.0]]
    done = convert(picks, Path("a.csv"), Wanted("csv", offsets="drop"), None)
    assert done.rows[[X, Y]].to_numpy().tolist() == [[50.0, 30.0]]
    kept = convert(picks, Path("a.star"), Wanted("star"), None)
    assert kept.rows["rlnOriginY"].tolist() == [-3.0]


def test_picks_of_other_micrographs_are_counted_or_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "few.star").write_text(f"data_\nloop_\n_rlnMicrographName\n{NAMES[0]}\n")
    topaz(project)
    assert run("topaz.txt", "out.csv", "--micrographs", "few.star") == 0
    assert "2 picks are on micrographs that are not in few.star; they are skipped" in capsys.readouterr().err
    (project / "none.star").write_text("data_\nloop_\n_rlnMicrographName\nother.mrc\n")
    assert run("topaz.txt", "out.csv", "--micrographs", "none.star") == 2
    assert (
        "has none of the micrographs of the picks: they have mic2, it has other.mrc"
        in capsys.readouterr().err
    )


def test_formats_by_ending(project: Path) -> None:
    rows = read_any(topaz(project), project, None, [], None).rows
    endings = {
        "a.star": "star",
        "a.txt": "topaz",
        "a.csv": "csv",
        "a.cs": "cs",
        "a.box": "box",
        "a.json": "json",
    }
    assert {name: kind_of(Path(name), None, rows) for name in endings} == endings
    assert kind_of(Path("a.csv"), "via", rows) == "via"
    with pytest.raises(
        CryoflowError, match=r"^folder: its extension names no format; choose one with --to: star, sta"
    ):
        kind_of(Path("folder"), None, rows)


def test_one_file_is_of_one_micrograph(project: Path) -> None:
    topaz(project)
    with pytest.raises(
        FileError, match=r"a.box: is one file, and the picks are of 2 micrographs; give a folder$"
    ):
        convert(read_any(Path("topaz.txt"), project, None, [], None), Path("a.box"), Wanted("box", 8.0), None)


def test_extract_and_select_read_the_same_formats(project: Path) -> None:
    table = read_coordinate_table(topaz(project))
    assert table is not None and table[NAME].tolist() == ["mic2", "mic1", "mic2"]
    with pytest.raises(
        FileError, match=r"topaz.txt: is one table of picks; make a list of it: cryoflow convert IN"
    ):
        read_coordinate_list(project / "topaz.txt", project)
    (project / "x.csv").write_text("x,y\n1,2\n")
    with pytest.raises(
        FileError, match=r"x.csv: has no rlnMicrographName: coordinates of many micrographs need the"
    ):
        read_coordinate_table(project / "x.csv")
    assert read_coordinates(project / "x.csv")[[X, Y]].to_numpy().tolist() == [[1.0, 2.0]]
    (project / "CBOX").mkdir()
    (project / "CBOX/mic1.cbox").write_text("10 20 50 50 0.9\n")
    found = read_coordinate_list(project / "CBOX", project, NAMES)
    assert found == [(NAMES[0], project / "CBOX/mic1.cbox")]
    assert read_coordinates(found[0][1])[[X, Y]].to_numpy().tolist() == [[35.0, 45.0]]


def test_names_of_cryosparc_mean_their_movies() -> None:
    names = MicrographNames(["Movies/a_1.mrc", "Movies/b.mrc"])
    prefix = "014810031491354839884"
    assert names.find(f"J3/motioncorrected/{prefix}_a_1_patch_aligned_doseweighted.mrc") == "Movies/a_1.mrc"
    assert names.find(f"J3/imported/{prefix}_b.mrc") == "Movies/b.mrc"
    assert names.find("J3/motioncorrected/b_rigid_aligned.mrc") == "Movies/b.mrc"
    assert names.find("Elsewhere/b.mrc") is None and names.find(f"J3/{prefix}_c.mrc") is None
    own = MicrographNames([f"J3/motioncorrected/{prefix}_a_patch_aligned.mrc"])
    assert own.find("a.mrc") == f"J3/motioncorrected/{prefix}_a_patch_aligned.mrc"


def test_micrographs_from_a_folder(project: Path) -> None:
    micrographs = Micrographs(project / "MotionCorr", project)
    own = micrographs.find("mic1")
    assert own is not None and micrographs.paths[own] == project / NAMES[0]
    assert micrographs.shape("mic2") == (HEIGHT, WIDTH)
