"""Files as the other programs write them, with values worked out by hand from their definitions."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cryoflow.errors import FileError
from cryoflow.files.formats import read_picks
from cryoflow.files.formats.cryosparc import read_exposures
from cryoflow.files.formats.picks import CLASS, IMAGE, NAME, SCORE, X, Y

CBOX = """
data_global

_cbox_format_version   1.0

data_cryolo

loop_
_CoordinateX #1
_CoordinateY #2
_CoordinateZ #3
_Width #4
_Height #5
_Depth #6
_EstWidth #7
_EstHeight #8
_Confidence #9
_NumBoxes #10
_Angle #11
 11.5  27.959892  <NA> 25 25 <NA> 20 21 {first} 3 <NA>
 66.5  -3.5       <NA> 25 25 <NA> 20 21 {second} 3 <NA>

data_cryolo_include

loop_
_slice_index #1
 0.000000
"""


def put(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content)
    return path


def test_corners_of_boxes_become_centres(tmp_path: Path) -> None:
    picks = read_picks(put(tmp_path, "a.box", "10\t20\t100\t100\n# note\n\n-30 5.5 100 100 0.7\n"))
    assert picks.rows.to_dict("list") == {X: [60.0, 20.0], Y: [70.0, 55.5]} and picks.box_px == 100
    mixed = read_picks(put(tmp_path, "b.box", "0 0 10 20\n"))
    assert mixed.rows.to_dict("list") == {X: [5.0], Y: [10.0]} and mixed.box_px is None


def test_cbox_of_cryolo(tmp_path: Path) -> None:
    picks = read_picks(put(tmp_path, "a.cbox", CBOX.format(first="0.75", second="0.25")))
    assert picks.rows[[X, Y]].to_numpy().tolist() == [[24.0, 40.459892], [79.0, 9.0]]
    assert picks.rows[SCORE].tolist() == [0.75, 0.25] and picks.box_px == 25
    without = read_picks(put(tmp_path, "b.cbox", CBOX.format(first="<NA>", second="<NA>")))
    assert SCORE not in without.rows and len(without.rows) == 2
    old = read_picks(put(tmp_path, "c.cbox", "10 20 50 50 0.9 40 40\n"))
    assert old.rows.to_dict("list") == {X: [35.0], Y: [45.0], SCORE: [0.9]}


def test_info_files_of_eman2(tmp_path: Path) -> None:
    path = put(tmp_path, "a_info.json", '{"quality": 5, "boxes": [[1, 2, "manual"], [3.5, 4, "auto", 0.5]]}')
    assert read_picks(path).rows.to_dict("list") == {X: [1.0, 3.5], Y: [2.0, 4.0]}
    scored = put(tmp_path, "b_info.json", '{"boxes": [[3.5, 4, "auto_local", 0.5]]}')
    assert read_picks(scored).rows[SCORE].tolist() == [0.5]


def test_tables_of_topaz_and_plain_ones(tmp_path: Path) -> None:
    topaz = put(
        tmp_path, "a.txt", "image_name\tx_coord\ty_coord\tscore\nmic1\t6924\t2481\t-1.5\nmic2\t1\t2\t3\n"
    )
    rows = read_picks(topaz).rows
    assert rows.to_dict("list") == {
        NAME: ["mic1", "mic2"],
        X: [6924.0, 1.0],
        Y: [2481.0, 2.0],
        SCORE: [-1.5, 3.0],
    }
    plain = read_picks(put(tmp_path, "b.csv", "Y, X ,extra\n2,1,hello\n")).rows
    assert plain[[X, Y]].to_dict("list") == {X: [1.0], Y: [2.0]} and NAME not in plain
    blanks = read_picks(put(tmp_path, "c.txt", "x y class\n1 2 3\n")).rows
    assert blanks.to_dict("list") == {X: [1.0], Y: [2.0], CLASS: [3]}


def test_via_tables_of_topaz(tmp_path: Path) -> None:
    head = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes"
    head += ",region_attributes\n"
    row = 'mic1.png,-1,{},1,0,"{""name"":""point"",""cx"":12,""cy"":34.5}","{""score"": 0.5}"\n'
    empty = "mic2.png,-1,{},0,0,{},{}\n"
    rows = read_picks(put(tmp_path, "via.csv", head + row + empty)).rows
    assert rows.to_dict("list") == {NAME: ["mic1"], X: [12.0], Y: [34.5], SCORE: [0.5]}


def test_stars_of_m_are_in_angstrom(tmp_path: Path) -> None:
    text = "data_\n\nloop_\n_wrpCoordinateX1 #1\n_wrpCoordinateY1 #2\n_wrpSourceName #3\n 130.0 260.0 a.tif\n"
    path = put(tmp_path, "m.star", text)
    rows = read_picks(path, pixel_size_a=1.3).rows
    assert rows.to_dict("list") == {NAME: ["a.tif"], X: [100.0], Y: [200.0]}
    with pytest.raises(
        FileError, match=r"m.star: has coordinates of M, in A; give the pixel size of the mic"
    ):
        read_picks(path)


def records(**fields: list[object]) -> np.ndarray:
    columns = {name.replace("__", "/"): np.array(values) for name, values in fields.items()}
    types = [(name, values.dtype, values.shape[1:]) for name, values in columns.items()]
    found = np.zeros(len(next(iter(columns.values()))), types)
    for name, values in columns.items():
        found[name] = values
    return found


def save(path: Path, array: np.ndarray) -> Path:
    with path.open("wb") as file:
        np.save(file, array)
    return path


def test_cs_with_its_passthrough(tmp_path: Path) -> None:
    """Shape is height, width; the join goes by uid, not by place."""
    main = records(
        uid=np.array([7, 2**63 + 5], np.uint64),
        blob__path=[b">J8/extract/a.mrc", b"J8/extract/a.mrc"],
        blob__idx=np.array([4, 0], np.uint32),
        blob__psize_A=np.array([1.3, 1.3], np.float32),
        alignments2D__class=np.array([0, 11], np.uint32),
        alignments2D__pose=np.array([0.1, 0.2], np.float32),
        ctf__cs_mm=np.array([2.7, 2.7], np.float32),
        ctf__df_angle_rad=np.array([np.pi / 2, 0], np.float32),
    )
    passthrough = records(
        uid=np.array([2**63 + 5, 99, 7], np.uint64),
        location__micrograph_path=[b"J3/b.mrc", b"J3/x.mrc", b"J3/a.mrc"],
        location__micrograph_shape=np.array([[1000, 2000]] * 3, np.uint32),
        location__center_x_frac=np.array([0.25, 0, 0.5], np.float32),
        location__center_y_frac=np.array([0.1, 0, 0.9], np.float32),
        ctf__cs_mm=np.array([9, 9, 9], np.float32),
    )
    path, other = save(tmp_path / "p.cs", main), save(tmp_path / "passthrough.cs", passthrough)
    picks = read_picks(path, [other])
    rows = picks.rows
    assert rows[NAME].tolist() == ["J3/a.mrc", "J3/b.mrc"]
    assert rows[X].tolist() == [1000.0, 500.0] and rows[Y].tolist() == [900.0, 100.0]
    assert rows[IMAGE].tolist() == ["000005@J8/extract/a.mrc", "000001@J8/extract/a.mrc"]
    assert rows[CLASS].tolist() == [1, 12] and rows["rlnSphericalAberration"].tolist() == [2.7, 2.7]
    assert rows["rlnDefocusAngle"].tolist() == pytest.approx([90, 0], abs=1e-5)
    assert rows["rlnDetectorPixelSize"].tolist() == [1.3, 1.3] and rows["rlnMagnification"].tolist() == [
        1e4,
        1e4,
    ]
    assert any("poses" in line for line in picks.conventions)
    alone = read_picks(path).rows
    assert X not in alone and alone[IMAGE].tolist() == rows[IMAGE].tolist()
    with pytest.raises(
        FileError, match=r"p.cs: lacks uid 99 of passthrough.cs; give the passthrough file of"
    ):
        read_picks(other, [path])


def test_exposures_of_cryosparc(tmp_path: Path) -> None:
    array = records(
        uid=np.array([1, 2], np.uint64),
        micrograph_blob__path=[b"J2/a.mrc", b"J2/b.mrc"],
        micrograph_blob__psize_A=np.array([0.6575, 0.6575], np.float32),
        ctf__df1_A=np.array([12000.5, 9000], np.float32),
    )
    rows = read_exposures(save(tmp_path / "exposures.cs", array))
    assert rows[NAME].tolist() == ["J2/a.mrc", "J2/b.mrc"] and rows["rlnDefocusU"].tolist() == [
        12000.5,
        9000.0,
    ]
    assert rows["rlnDetectorPixelSize"].tolist() == [0.6575, 0.6575]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.box", "1 2 3\n", r"a.box:1: expected x, y, width and height of a box$"),
        ("a.box", "1 2 3 4 -1\n1 2 3 4 -2\n", r"a.box: holds ends of filaments \(fifth column -1 and -2\)"),
        (
            "a.cbox",
            "data_x\n_a 1\n",
            r"a.cbox: has no table data_cryolo with CoordinateX, CoordinateY, Width",
        ),
        ("a.json", "nonsense", r"a.json: is not a JSON file: Expecting value"),
        ("a.json", "[1]", r"a.json: is not an info file of EMAN2: it is not a JSON object$"),
        ("a.json", "{}", r"a.json: has no list of boxes; is it the info file of a micrograph"),
        ("a.json", '{"boxes": [[1]]}', r"a.json: box 1 is \[1\], not \[x, y, ...\]$"),
        ("a.json", '{"boxes": [["l", 2]]}', r"a.json: x of box 1 is 'l', not a number$"),
        ("a.txt", "", r"a.txt: holds no table: it is empty$"),
        ("a.txt", "12 34\n56 78\n", r"a.txt:1: its first line must name columns, x_coord and y_coord"),
        ("a.csv", "x,y\n1\n", r"a.csv:2: 1 values where the first line names 2 columns$"),
        ("a.csv", "x,y\n1,2\n1,nan\n", r"a.csv:3: rlnCoordinateY is 'nan', not a number$"),
        (
            "a.cs",
            "hello",
            r"a.cs: is not (a NumPy array|an array of numbers), as cryoSPARC saves .cs files; ex",
        ),
        (
            "a.xyz",
            "1 2",
            r"a.xyz: is not in a known format of picks; known extensions are .star, .box, .cbox",
        ),
        (
            "a.star",
            "data_\nloop_\n_rlnVoltage\n 300\n",
            r"a.star: holds no coordinates: no table with rlnCoord",
        ),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(FileError, match=message) as caught:
        read_picks(put(tmp_path, name, content))
    assert "\n" not in str(caught.value)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    array = np.zeros(1, [("uid", "u8"), ("bad", object)])
    with (tmp_path / "a.cs").open("wb") as file:
        np.save(file, array, allow_pickle=True)
    with pytest.raises(
        FileError, match=r"a.cs: is not an array of numbers, as cryoSPARC saves .cs files; export"
    ):
        read_picks(tmp_path / "a.cs")


def test_tomograms_are_refused(tmp_path: Path) -> None:
    text = (
        CBOX.format(first="0.5", second="0.5")
        .replace("27.959892  <NA>", "27.959892 1")
        .replace("-3.5       <NA>", "-3.5 2")
    )
    with pytest.raises(
        FileError,
        match=r"a.cbox: holds boxes at several heights of a tomogram; only micrographs are supported$",
    ):
        read_picks(put(tmp_path, "a.cbox", text))


def test_a_star_without_rows_has_no_picks(tmp_path: Path) -> None:
    assert read_picks(put(tmp_path, "a.star", "# RELION; version 3.0.8\n")).rows.equals(
        pd.DataFrame(columns=[X, Y], dtype=float)
    )
