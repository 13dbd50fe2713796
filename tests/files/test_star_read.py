"""STAR files of RELION's shapes are read; anything else is told with its line."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cryoflow.errors import FileError
from cryoflow.files.star import read_star

THREE = """
# version 30001

data_optics

loop_ \n_rlnOpticsGroup #1 \n_rlnOpticsGroupName #2 \n_rlnVoltage #3 \n           1 group1   300.000000 \n \n
# version 30001

data_particles

loop_ \n_rlnImageName #1 \n_rlnOpticsGroup #2 \n_rlnMicrographName #3 \n_rlnLogLikeliContribution #4
000001@a.mrcs   1  001   1.143004e+07
000002@a.mrcs   1  002   -2.5
"""


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "a.star"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_blocks_types_and_line_ends(tmp_path: Path, ends: str) -> None:
    blocks = read_star(write(tmp_path, THREE.replace("\n", ends)))
    assert list(blocks) == ["optics", "particles"]
    optics, rows = blocks["optics"], blocks["particles"]
    assert isinstance(optics, pd.DataFrame) and isinstance(rows, pd.DataFrame)
    assert optics.to_dict("list") == {
        "rlnOpticsGroup": [1],
        "rlnOpticsGroupName": ["group1"],
        "rlnVoltage": [300.0],
    }
    assert rows["rlnMicrographName"].tolist() == ["001", "002"]  # a name, however it looks
    assert rows["rlnLogLikeliContribution"].tolist() == [11430040.0, -2.5]
    assert rows["rlnOpticsGroup"].dtype == np.int64 and rows["rlnLogLikeliContribution"].dtype == np.float64


def test_simple_blocks(tmp_path: Path) -> None:
    text = """data_model_general

_rlnNrClasses   3
_rlnCurrentResolution  inf # why
_rlnMaskName None
_rlnTitle "a b"
_rlnEmpty
"""
    assert read_star(write(tmp_path, text)) == {
        "model_general": {
            "rlnNrClasses": 3,
            "rlnCurrentResolution": float("inf"),
            "rlnMaskName": "None",
            "rlnTitle": "a b",
            "rlnEmpty": "",
        }
    }


def test_empty_loops_and_blocks(tmp_path: Path) -> None:
    text = "data_\nloop_\n_rlnImageName #1\n_rlnClassNumber #2\n_rlnAnglePsi #3\n_other\n\ndata_none\n\n"
    blocks = read_star(write(tmp_path, text))
    rows = blocks[""]
    assert isinstance(rows, pd.DataFrame)
    assert len(rows) == 0
    assert [str(dtype) for dtype in rows.dtypes[1:]] == ["int64", "float64", "float64"]
    assert rows["rlnImageName"].tolist() == []
    assert blocks["none"] == {}


def test_what_numbers_look_like(tmp_path: Path) -> None:
    names = "data_\nloop_\n_a\n_b\n_c\n_d\n_e\n_rlnVoltage\n_rlnClassNumber\n"
    text = f"{names}1 1 007 1_0 1 200 3.000000\n-2 2.5 011 2_0 -nan 300 4.000000\n"
    rows = read_star(write(tmp_path, text))[""]
    assert isinstance(rows, pd.DataFrame)
    assert rows["a"].tolist() == [1, -2] and rows["a"].dtype == np.int64
    assert rows["b"].tolist() == [1.0, 2.5]
    assert rows["c"].tolist() == ["007", "011"]  # leading zeros make a name
    assert rows["d"].tolist() == ["1_0", "2_0"]
    assert np.isnan(rows["e"].tolist()[1]) and rows["e"].dtype == np.float64
    assert rows["rlnVoltage"].dtype == np.float64  # known as a real number
    assert rows["rlnClassNumber"].tolist() == [3, 4] and rows["rlnClassNumber"].dtype == np.int64


def test_quotes_comments_and_blank_lines_inside_a_loop(tmp_path: Path) -> None:
    names = "data_ # x\nloop_\n# names\n_rlnMicrographName #1\n_b\n\n"
    text = f"{names}'my mic' 1 # first\n# none\n\n\"\" 2\na#b 3\no'clock' 4\n"
    rows = read_star(write(tmp_path, text))[""]
    assert isinstance(rows, pd.DataFrame)
    assert rows["rlnMicrographName"].tolist() == ["my mic", "", "a#b", "o'clock'"]
    assert rows["b"].tolist() == [1, 2, 3, 4]


def test_a_path_that_begins_like_a_block_is_a_value(tmp_path: Path) -> None:
    rows = read_star(write(tmp_path, "data_\nloop_\n_rlnMicrographName\ndata_1/a.mrc\ndata_1/b.mrc\n"))[""]
    assert isinstance(rows, pd.DataFrame)
    assert rows["rlnMicrographName"].tolist() == ["data_1/a.mrc", "data_1/b.mrc"]


def test_names_that_are_not_utf8_and_a_byte_order_mark(tmp_path: Path) -> None:
    rows = read_star(write(tmp_path, b"\xef\xbb\xbfdata_\nloop_\n_rlnMicrographName\n\xe9.mrc\n"))[""]
    assert isinstance(rows, pd.DataFrame)
    assert rows["rlnMicrographName"][0].encode("utf-8", "surrogateescape") == b"\xe9.mrc"


TOO_SHORT = "where the loop has 3 columns; was the file cut off?"
TOO_LONG = "where the loop has 3 columns; quote a value that contains spaces"
ONE_LINE = "not a STAR table but one line that names another STAR file, CtfFind/job003/micrographs_ctf.star"
LOOP = "\ndata_\n\nloop_\n_rlnImageName #1\n_rlnDefocusU #2\n_x #3\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LOOP + "a 1 2\nb 1\nc 1 2\n", f":9: 2 values {TOO_SHORT}"),
        (LOOP + "a 1 2\nb\n", f":9: 1 value {TOO_SHORT}"),
        (
            LOOP + "a 1 2\nb c 1 2\n",
            ":9: 4 values where the loop has 3 columns; quote a value that contains spaces",
        ),
        (
            LOOP + "a 1 2 b 1 2\n",
            ":8: 6 values where the loop has 3 columns; quote a value that contains spaces",
        ),
        (LOOP + "a 1 2\nloop_\n_b\n", ":9: a second loop_ in one block; put a line 'data_<name>' before it"),
        (LOOP + "a 1 2\nb None 2\n", ":9: rlnDefocusU is 'None', not a number"),
        (LOOP + "a 1 2\n# c\n\n'b' 1_0 2\n", ":11: rlnDefocusU is '1_0', not a number"),
        (LOOP + "a 1 2\n'b 1 2\n", ":9: the quote before b is not closed"),
        ("data_\nloop_\n_a\n_b\n_a\n1 2 3\n", ":5: the column a is named twice"),
        ("data_\nloop_\n_a\n_b 3\n1 2\n", ":4: expected a column name and its number, found '_b 3'"),
        ("data_\nloop_\n_\n1\n", ":3: expected a column name and its number, found '_'"),
        ("data_\nloop_\n1 2\n", ":2: loop_ without column names"),
        ("data_\n\n1 2\n", ":3: '1' is outside a loop; is a line 'loop_' missing?"),
        ("data_\n_a 1\n_b 2\n1 2\n", ":4: '1' is outside a loop; is a line 'loop_' missing?"),
        ("data_\n_a 1\n_a 2\n", ":3: a is given twice"),
        ("data_\n_a my file\n", ":2: 2 values for a; quote a value that contains spaces"),
        ("data_\n_rlnVoltage high\n", ":2: rlnVoltage is 'high', not a number"),
        ("# x\n1 2\ndata_\nloop_\n_a\n", ":2: a value before the first block; put a line 'data_' before it"),
        ("data_a\n_x 1\ndata_a\n_x 1\n", ":3: a second block data_a; give each block its own name"),
        ("", ": the file is empty"),
        (" \n\n", ": the file is empty"),
        ("a,b\n1,2\n", ": not a STAR file: it has no line that begins with data_"),
        (b"MAP \0\0", ": not a STAR file: it is binary"),
        (
            "CtfFind/job003/micrographs_ctf.star\n",
            f": {ONE_LINE}; give this file only as the coordinates of a picking job",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(FileError, match=f"^{re.escape(str(path) + message)}$"):
        read_star(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"a.star: no such file$"):
        read_star(tmp_path / "a.star")


def test_whole_numbers_written_as_floats_are_integers_while_floats_are_exact(tmp_path: Path) -> None:
    for text, kind in (("9007199254740991.0", np.int64), ("9007199254740992.0", np.float64)):  # below 2^53
        rows = read_star(write(tmp_path, f"data_\n\nloop_\n_rlnClassNumber #1\n{text}\n1\n"))[""]
        assert isinstance(rows, pd.DataFrame) and rows["rlnClassNumber"].dtype == kind
        assert int(rows["rlnClassNumber"][0]) == int(text[:-2])
