"""What tables and headers say is held against each other, and against what can be."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.particle_project import Listener

from cryoflow.errors import FileError
from cryoflow.files.mrc import write_mrc
from cryoflow.files.tables import Table
from cryoflow.jobs.inputs.images import check_images, stack_headers
from cryoflow.jobs.inputs.pixel_sizes import micrograph_pixel_sizes
from cryoflow.jobs.inputs.sanity import check_ctf
from cryoflow.project.context import JobContext

GOOD = {
    "rlnVoltage": 300.0,
    "rlnSphericalAberration": 2.7,
    "rlnAmplitudeContrast": 0.1,
    "rlnDefocusU": 12000.0,
    "rlnDefocusV": 11500.0,
    "rlnPhaseShift": 0.0,
}


def context(root: Path) -> JobContext:
    return JobContext(root, root / "Job/job001", report=Listener())


def warned(found: JobContext) -> list[str]:
    assert isinstance(found.report, Listener)
    return found.report.warned


def table(root: Path, number: int = 4, **columns: Any) -> Table:
    rows = pd.DataFrame({"rlnMicrographName": [f"M/{i}.mrc" for i in range(number)], **columns})
    return Table(rows, "3.0", root / "t.star", "")


def headers(root: Path, *sizes: float) -> None:
    for number, size in enumerate(sizes):
        write_mrc(root / f"M/{number}.mrc", np.zeros((6, 8), np.float32), size)


def resolved(root: Path, given: float | None = None, **columns: Any) -> tuple[Any, list[str]]:
    here = context(root)
    found = micrograph_pixel_sizes(here, table(root, **columns), given, "Pixel size (A)")
    return found and found.values, warned(here)


def test_headers_serve_where_the_table_says_nothing(tmp_path: Path) -> None:
    headers(tmp_path, 0.0, 1.77, 1.06)
    sizes, told = resolved(tmp_path)
    assert sizes == (1.77, 1.77, 1.06, 1.77)
    assert told == ["using the pixel size 1.77 A from the header of M/1.mrc: the table has none"]


@pytest.mark.parametrize("unset", [0.0, 1.0])
def test_headers_that_nobody_has_set_say_nothing(tmp_path: Path, unset: float) -> None:
    headers(tmp_path, *[unset] * 4)
    assert resolved(tmp_path) == (None, [])
    assert resolved(tmp_path, rlnMicrographPixelSize=1.77) == ((1.77,) * 4, [])
    assert resolved(tmp_path, 2.5) == ((2.5,) * 4, [])


def test_tables_and_headers_that_contradict_are_told(tmp_path: Path) -> None:
    headers(tmp_path, 1.77, 1.06, 1.06, 1.775)
    sizes, told = resolved(tmp_path, rlnMagnification=1e4, rlnDetectorPixelSize=1.77)
    assert sizes == (1.77,) * 4 and len(told) == 1
    assert told[0] == (
        "using the pixel size 1.77 A from t.star, although the header of M/1.mrc (and of 1 more) says 1.06 "
        "A; set 'Pixel size (A)'"
    )
    assert resolved(tmp_path, 1.77, rlnMagnification=1e4, rlnDetectorPixelSize=1.77) == ((1.77,) * 4, [])
    sizes, told = resolved(tmp_path, 1.06, rlnMicrographPixelSize=1.77)
    assert sizes == (1.06,) * 4 and "1.06 A" in told[0] and "t.star says 1.77 A" in told[0]


def test_pixel_sizes_in_nanometres_are_told(tmp_path: Path) -> None:
    assert resolved(tmp_path, rlnMicrographPixelSize=0.106)[1] == [
        "t.star says 0.106 A per pixel, unlikely for micrographs; is it in A?"
    ]


def ctf(root: Path, used: bool = True, **columns: Any) -> list[str]:
    here = context(root)
    check_ctf(here, table(root, **{**GOOD, **columns}), used)
    return warned(here)


def test_usual_values_pass(tmp_path: Path) -> None:
    assert ctf(tmp_path) == []
    assert ctf(tmp_path, rlnVoltage=200, rlnSphericalAberration=0.01, rlnAmplitudeContrast=0.07) == []
    assert ctf(tmp_path, rlnDefocusU=100.0, rlnDefocusV=80.0, rlnPhaseShift=90.0) == []  # a phase plate
    assert ctf(tmp_path, rlnDefocusU=np.nan) == []


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        (
            "rlnVoltage",
            300000.0,
            "rlnVoltage of 4 of 4 rows is outside 60 to 1500 kV, e.g. 300000 in row 1; are",
        ),
        ("rlnVoltage", 0.3, "rlnVoltage of 4 of 4 rows is outside 60 to 1500 kV, e.g. 0.3 in row 1"),
        (
            "rlnAmplitudeContrast",
            10.0,
            r"rlnAmplitudeContrast of .* 0 to 1 \(a fraction\), e.g. 10 in row 1; are they p",
        ),
        (
            "rlnSphericalAberration",
            2.7e7,
            r"rlnSphericalAberration of .* outside 0 to 20 mm, e.g. 2.7e\+07 in",
        ),
        (
            "rlnDefocusU",
            1.2,
            r"\|rlnDefocusU\| of .* outside 500 to 100000 A, e.g. 1.2 in row 1; are they micro",
        ),
        (
            "rlnDefocusU",
            -1.2,
            r"\|rlnDefocusU\| of .* outside 500 to 100000 A, e.g. -1.2 in row 1; are they micr",
        ),
    ],
)
def test_wrong_units_are_refused(tmp_path: Path, column: str, value: float, told: str) -> None:
    with pytest.raises(FileError, match=f"^t.star: {told}"):
        ctf(tmp_path, **{column: value})
    assert len(ctf(tmp_path, used=False, **{column: value})) >= 1


@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        (
            "rlnDefocusU",
            [-9000.0] * 4,
            "rlnDefocusU of 4 of 4 rows is negative, e.g. -9000 in row 1; underfocus",
        ),
        (
            "rlnDefocusV",
            [9e3, 2e5, 9e3, 9e3],
            "|rlnDefocusV| of 1 of 4 rows is outside 500 to 100000 A, e.g. 200000",
        ),
        (
            "rlnVoltage",
            [300.0, 300.0, 300.0, 0.0],
            "rlnVoltage of 1 of 4 rows is outside 60 to 1500 kV, e.g. 0 in",
        ),
        ("rlnPhaseShift", [720.0] * 4, "rlnPhaseShift of 4 of 4 rows is outside -360 to 360 degrees"),
    ],
)
def test_single_odd_values_are_told(tmp_path: Path, column: str, values: list[float], told: str) -> None:
    lines = ctf(tmp_path, **{column: values})
    assert len(lines) == 1 and lines[0].startswith(f"t.star: {told}"), lines


def test_premultiplied_images_are_refused_where_the_ctf_is_used(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"rlnCtfDataAreCtfPremultiplied of row 3 is 1: images premultiplied"):
        ctf(tmp_path, rlnCtfDataAreCtfPremultiplied=[0, 0, 1, 0])
    assert ctf(tmp_path, used=False, rlnCtfDataAreCtfPremultiplied=1) == []
    assert ctf(tmp_path, rlnCtfDataAreCtfPremultiplied=0) == []


def images(root: Path, names: list[str], **columns: Any) -> list[str]:
    here = context(root)
    rows = pd.DataFrame({"rlnImageName": names, **columns})
    check_images(here, Table(rows, "3.0", root / "p.star", ""), stack_headers(here, names))
    return warned(here)


def test_images_are_held_against_their_table(tmp_path: Path) -> None:
    for name, size in (("a", 3.54), ("b", 1.0)):
        write_mrc(tmp_path / f"{name}.mrcs", np.zeros((3, 8, 8), np.float32), size)
    names = ["1@a.mrcs", "3@a.mrcs", "2@b.mrcs", "1@gone.mrcs"]
    assert images(tmp_path, names, rlnImageSize=8, rlnImagePixelSize=3.54) == []
    assert images(tmp_path, names) == []
    assert images(tmp_path, names, rlnImagePixelSize=1.77) == [
        "p.star says 1.77 A per pixel, which is used, although the header of a.mrcs says 3.54 A; correct the "
        "one that is wrong"
    ]
    with pytest.raises(
        FileError, match=r"p.star: rlnImageSize of row 3 is 16 px, but b.mrcs has images of 8 px"
    ):
        images(tmp_path, names, rlnImageSize=[8, 8, 16, 8])
    (twins,) = images(tmp_path, ["1@a.mrcs", "000002@a.mrcs", "2@a.mrcs", "2@a.mrcs"])
    assert twins.startswith("p.star: 2 rows repeat the rlnImageName of another, such as 000002@a.mrcs;")
