"""Micrographs of any kind come into one table, with the CTF that is theirs; movies do not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cryoflow.cli import main
from cryoflow.errors import FileError
from cryoflow.files.formats.ctf_estimates import read_ctf
from cryoflow.files.import_micrographs import Microscope, import_micrographs
from cryoflow.files.mrc import read_header, read_image, write_mrc
from cryoflow.files.star import read_star, write_star
from cryoflow.files.tables import pixel_size, read_micrographs

PIXELS = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
CTFFIND = """# Output from CTFFind version 4.1.14, run on 2023-02-02 15:13:07
# Input file: {name} ; Number of micrographs: 1
# Pixel size: 1.000 Angstroms ; acceleration voltage: 200.0 keV ; \
spherical aberration: 2.26 mm ; amplitude contrast: 0.07
# Columns: #1 - micrograph number; #2 - defocus 1 [Angstroms]; #3 - defocus 2; #4 - azimuth of ...
1.000000 9982.502930 9900.25 -12.5 1.5707963267948966 0.565683 3.980663{more}
"""
GCTF = """ **** a log ****
   Defocus_U   Defocus_V       Angle         CCC
    24527.22    24213.21      -42.71    0.132   Final Values

Resolution limit estimated by EPA: RES_LIMIT  3.51
"""
WARP = """<?xml version="1.0" encoding="utf-16"?>
<Movie CTFResolutionEstimate="4.2"><CTF>
<Param Name="PixelSize" Value="1.3" /><Param Name="Defocus" Value="1.5" />
<Param Name="DefocusDelta" Value="0.2" /><Param Name="DefocusAngle" Value="30" />
<Param Name="PhaseShift" Value="0.5" />
<Param Name="Voltage" Value="300" /><Param Name="Cs" Value="2.7" /></CTF></Movie>"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mrc(path: Path, pixel: float = 1.3, mode: int = 2) -> Path:
    write_mrc(path, PIXELS / 1000, pixel, mode)
    return path


def take(project: Path, *given: Path, ctf: tuple[Path, ...] = (), **microscope: float) -> pd.DataFrame:
    out = project / "micrographs.star"
    import_micrographs(list(given), out, project, Microscope(**microscope), ctf)
    return read_micrographs(out).rows


@pytest.mark.parametrize("mode", [0, 1, 2, 6, 12])
def test_mrc_files_stay_where_they_are(project: Path, mode: int) -> None:
    rows = take(project, mrc(project / "raw/a.mrc", mode=mode), voltage_kv=200, cs_mm=1.4)
    assert rows["rlnMicrographName"].tolist() == ["raw/a.mrc"] and pixel_size(rows).tolist() == [1.3]
    assert rows[["rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast"]].iloc[0].tolist() == [
        200,
        1.4,
        0.1,
    ]
    assert not (project / "Micrographs").exists()


def test_the_table_has_optics(project: Path) -> None:
    mrc(project / "a.mrc")
    assert main(["import", "micrographs", "a.mrc", "m.star"]) == 0
    blocks = read_star(project / "m.star")
    assert list(blocks) == ["optics", "micrographs"]
    assert blocks["optics"]["rlnMicrographPixelSize"].tolist() == [1.3]
    assert main(["import", "micrographs", "a.mrc", "old.star", "--star-style", "3.0"]) == 0
    assert "rlnDetectorPixelSize" in read_star(project / "old.star")[""]


def test_what_is_assumed_is_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mrc(project / "a.mrc")
    assert main(["import", "micrographs", "a.mrc", "m.star", "--voltage", "200"]) == 0
    said = capsys.readouterr().out
    assert "assumed: Cs 2.7 mm, amplitude contrast 0.1; override wrong values" in said
    assert "pixel size 1.3 A from the headers" in said and "1 micrographs: m.star" in said


@pytest.mark.parametrize(
    ("values", "mode"),
    [
        (PIXELS, 6),
        (PIXELS.astype(np.float32) / 7, 2),
        ((PIXELS // 300).astype(np.uint8), 1),
        (PIXELS.astype(np.int32), 2),
    ],
)
def test_tiff_is_copied_with_its_rows_reversed(project: Path, values: np.ndarray, mode: int) -> None:
    (project / "scans").mkdir()
    Image.fromarray(values).save(project / "scans/a.tif")
    rows = take(project, project / "scans", pixel_size_a=0.9)
    assert rows["rlnMicrographName"].tolist() == ["Micrographs/scans/a.mrc"]
    copy = project / "Micrographs/scans/a.mrc"
    assert read_image(copy).tolist() == values[::-1].astype(np.float32).tolist()
    assert read_header(copy).mode == mode and read_header(copy).pixel_size == 0.9


def test_png_keeps_its_rows_and_warns(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = (PIXELS // 300).astype(np.uint8)
    Image.fromarray(values).save(project / "a.png")
    assert main(["import", "micrographs", "a.png", "m.star", "--pixel-size", "2"]) == 0
    assert "warning: 1 micrographs are PNG or JPEG: few grey values, often lossy" in capsys.readouterr().err
    assert read_image(project / "Micrographs/a.mrc").tolist() == values.astype(np.float32).tolist()


def test_movies_are_refused_with_what_to_do(project: Path) -> None:
    told = r"{} run motion correction first \(RELION's, MotionCor3 or cryoSPARC's\) and import its sums$"
    write_mrc(project / "a.mrc", np.zeros((5, 3, 4), np.float32), 1.0)
    with pytest.raises(FileError, match="a.mrc: " + told.format(r"holds 5 images; a movie\?")):
        take(project, project / "a.mrc")
    first = Image.fromarray(PIXELS)
    first.save(project / "b.tif", save_all=True, append_images=[first, first])
    with pytest.raises(FileError, match="b.tif: " + told.format("is a movie of 3 frames;")):
        take(project, project / "b.tif", pixel_size_a=1)
    (project / "movies").mkdir()
    (project / "movies/c.eer").write_bytes(b"II+\0")
    with pytest.raises(FileError, match="c.eer: " + told.format(r"is a movie \(.eer\);")):
        take(project, project / "movies/c.eer")
    with pytest.raises(FileError, match="movies: " + told.format("holds no micrographs but movies;")):
        take(project, project / "movies")


def test_pixel_sizes_that_nobody_has_set_are_asked_for(project: Path) -> None:
    mrc(project / "a.mrc", 1.0)
    with pytest.raises(
        FileError, match=r"the pixel size is unknown \(1 headers have none\); give it with --pixel"
    ):
        take(project, project / "a.mrc")
    mrc(project / "b.mrc", 1.3)
    done = import_micrographs([project / "b.mrc"], project / "m.star", project, Microscope(0.65))
    assert done.warned == ("1 headers differ, e.g. 1.3 A of b.mrc; using 0.65 A",)


def test_ctffind_is_joined_by_its_input(project: Path) -> None:
    mrc(project / "Movies/a.mrc")
    mrc(project / "Movies/b.mrc")
    folder = project / "ctf"
    folder.mkdir()
    (folder / "diagnostic.txt").write_text(CTFFIND.format(name="/data/Movies/b.mrc", more=" 0 0 55.5"))
    (folder / "diagnostic_avrot.txt").write_text("# Output from CTFFind\n1 2 3\n")
    out = project / "m.star"
    done = import_micrographs([project / "Movies"], out, project, Microscope(), [folder])
    row = read_micrographs(out).rows.iloc[0]
    assert row["rlnMicrographName"] == "Movies/b.mrc" and done.micrographs == 1
    assert (
        row["rlnDefocusU"] == 9982.50293 and row["rlnDefocusV"] == 9900.25 and row["rlnDefocusAngle"] == -12.5
    )
    assert row["rlnPhaseShift"] == pytest.approx(90) and row["rlnCtfFigureOfMerit"] == 0.565683
    assert row["rlnCtfMaxResolution"] == 3.980663
    assert row[["rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast"]].tolist() == [200, 2.26, 0.07]
    assert done.warned == ("1 micrographs without a CTF estimate are skipped, e.g. Movies/a.mrc",)


def test_gctf_and_warp_are_joined_by_their_names(project: Path) -> None:
    for name in "ab":
        mrc(project / f"{name}_1.mrc")
    (project / "a_1_gctf.log").write_text(GCTF)
    (project / "b_1.xml").write_bytes(WARP.encode("utf-16"))
    gctf, warp = read_ctf([project / "a_1_gctf.log"]), read_ctf([project / "b_1.xml"])
    assert gctf.iloc[0].to_dict() == {
        "rlnMicrographName": "a_1", "rlnDefocusU": 24527.22, "rlnDefocusV": 24213.21,
        "rlnDefocusAngle": -42.71, "rlnCtfFigureOfMerit": 0.132, "rlnCtfMaxResolution": 3.51,
    }  # fmt: skip
    assert warp.iloc[0].to_dict() == {
        "rlnMicrographName": "b_1", "rlnVoltage": 300.0, "rlnSphericalAberration": 2.7,
        "rlnDefocusU": 16000.0, "rlnDefocusV": 14000.0, "rlnDefocusAngle": 30.0,
        "rlnPhaseShift": 90.0, "rlnCtfMaxResolution": 4.2,
    }  # fmt: skip
    both = (project / "a_1_gctf.log", project / "b_1.xml")
    rows = take(project, project / "a_1.mrc", project / "b_1.mrc", ctf=both)
    assert rows["rlnDefocusU"].tolist() == [24527.22, 16000.0]


def test_tables_of_relion_are_joined_below_their_jobs(project: Path) -> None:
    mrc(project / "Movies/a.mrc")
    table = pd.DataFrame(
        {
            "rlnMicrographName": ["MotionCorr/job002/Movies/a.mrc"],
            "rlnDefocusU": [1e4], "rlnDefocusV": [9e3], "rlnDefocusAngle": [5.0], "rlnVoltage": [200.0],
            "rlnSphericalAberration": [1.4], "rlnAmplitudeContrast": [0.1],
            "rlnMagnification": [1e4], "rlnDetectorPixelSize": [1.35],
        }
    )  # fmt: skip
    write_star(project / "ctf.star", {"": table})
    rows = take(project, project / "Movies", ctf=(project / "ctf.star",))
    assert rows["rlnMicrographName"].tolist() == ["Movies/a.mrc"] and rows["rlnVoltage"].tolist() == [200]
    assert pixel_size(rows).tolist() == [1.35]  # the header's 1.3 yields to that of the estimate


def test_estimates_of_other_micrographs_do_not_fit(project: Path) -> None:
    mrc(project / "a.mrc")
    (project / "a_2.txt").write_text(CTFFIND.format(name="a_2.mrc", more=""))
    with pytest.raises(
        FileError, match=r"has no CTF estimates of the micrographs: they are of a_2.mrc, the mic"
    ):
        take(project, project / "a.mrc", ctf=(project / "a_2.txt",))
    (project / "b.txt").write_text("12 13\n")
    with pytest.raises(FileError, match=r"b.txt: is not a summary of CTFFIND 4 or 5$"):
        take(project, project / "a.mrc", ctf=(project / "b.txt",))
    (project / "c.star").write_text("data_\nloop_\n_rlnMicrographName\na.mrc\n")
    with pytest.raises(
        FileError, match=r"c.star: has no CTF estimate: it lacks rlnDefocusU, rlnDefocusV, rlnDefocusA"
    ):
        take(project, project / "a.mrc", ctf=(project / "c.star",))


@pytest.mark.parametrize("colour", ["RGB", "RGBA"])
def test_colour_is_refused(project: Path, colour: str) -> None:
    Image.new(colour, (4, 3)).save(project / "a.png")
    with pytest.raises(FileError, match=rf"a.png: is in colour \({colour}\); export it in grey values$"):
        take(project, project / "a.png", pixel_size_a=1)


def test_two_files_of_one_name_do_not_overwrite_each_other(project: Path) -> None:
    for name in ("a.tif", "a.png"):
        Image.fromarray(PIXELS).save(project / name)
    with pytest.raises(FileError, match=r"names the micrograph Micrographs/a.mrc twice"):
        take(project, project / "a.tif", project / "a.png", pixel_size_a=1)
