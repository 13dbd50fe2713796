"""Tables half in RELION 3.0's terms, half in those of 3.1: by the columns that are there."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.star import Block, read_star, write_star
from cryoflow.files.tables import pixel_size, read_micrographs, read_particles, write_table

FLAT = pd.DataFrame(
    {
        "rlnImageName": ["1@a.mrcs", "2@a.mrcs"],
        "rlnOriginXAngst": [3.0, -4.5],
        "rlnOriginYPriorAngst": [6.0, 0.0],
        "rlnImagePixelSize": [1.5, 3.0],
        "rlnOpticsGroup": [1, 1],
        "rlnClassIndex": [3, 4],
        "labColumn": ["x", "y"],
    }
)
MICROGRAPHS = pd.DataFrame({"rlnMicrographName": ["a.mrc", "b.mrc"], "rlnMicrographPixelSize": [0.9, 0.9]})


def star(path: Path, **blocks: Block) -> Path:
    write_star(path, {name.removesuffix("_"): block for name, block in blocks.items()})
    return path


def test_offsets_in_angstrom_without_optics_are_converted(tmp_path: Path) -> None:
    table = read_particles(star(tmp_path / "a.star", particles=FLAT))
    assert table.rows["rlnOriginX"].tolist() == [2.0, -1.5]
    assert table.rows["rlnOriginYPrior"].tolist() == [4.0, 0.0]
    assert pixel_size(table).tolist() == [1.5, 3.0]


def test_nothing_gets_lost_on_the_way_through(tmp_path: Path) -> None:
    table = read_particles(star(tmp_path / "a.star", particles=FLAT))
    write_table(tmp_path / "b.star", table)
    again = read_particles(tmp_path / "b.star").rows
    pd.testing.assert_frame_equal(again, table.rows, check_dtype=False)
    kept = {"rlnOpticsGroup", "rlnClassIndex", "labColumn", "rlnImageName"}
    assert kept <= set(read_star(tmp_path / "b.star")[""].keys())


def test_offsets_without_a_pixel_size_are_refused_but_zeros_need_none(tmp_path: Path) -> None:
    rows = FLAT.drop(columns="rlnImagePixelSize")
    with pytest.raises(
        FileError, match=r"a.star: rlnOriginXAngst is in A and cannot be .*: no pixel size: needs"
    ):
        read_particles(star(tmp_path / "a.star", _=rows))
    zeros = rows.assign(rlnOriginXAngst=0.0, rlnOriginYPriorAngst=0.0)
    assert read_particles(star(tmp_path / "a.star", _=zeros)).rows["rlnOriginX"].tolist() == [0, 0]


def test_offsets_in_both_units_must_agree(tmp_path: Path) -> None:
    both = FLAT.assign(rlnOriginX=[2.0, -1.5])
    assert read_particles(star(tmp_path / "a.star", _=both)).rows["rlnOriginX"].tolist() == [2.0, -1.5]
    told = r"rlnOriginX of row 2 is -4.5 px, but rlnOriginXAngst makes it -1.5 px; remove the column that"
    with pytest.raises(FileError, match=told):
        read_particles(star(tmp_path / "a.star", _=both.assign(rlnOriginX=[2.0, -4.5])))


@pytest.mark.parametrize("optics", [False, True])
def test_pixel_sizes_in_both_terms_must_agree(tmp_path: Path, optics: bool) -> None:
    rows = FLAT.assign(rlnMagnification=50000.0, rlnDetectorPixelSize=[7.5, 15.0]).drop(
        columns="rlnOpticsGroup"
    )
    group = pd.DataFrame({"rlnOpticsGroup": [1], "rlnVoltage": [300.0]})
    blocks = {"optics": group, "particles": rows} if optics else {"": rows}
    write_star(tmp_path / "a.star", blocks)
    table = read_particles(tmp_path / "a.star")
    assert table.rows["rlnMagnification"].tolist() == [50000.0] * 2 and table.rows["rlnOriginX"].tolist() == [
        2,
        -1.5,
    ]
    rows["rlnImagePixelSize"] = [1.5, 1.06]
    write_star(tmp_path / "a.star", blocks)
    told = (
        r"row 2 is 3 A by rlnMagnification and rlnDetectorPixelSize, but 1.06 A by rlnImagePixelSize; remove"
    )
    with pytest.raises(FileError, match=told):
        read_particles(tmp_path / "a.star")


def test_the_micrographs_pixel_size_is_none_of_the_particles(tmp_path: Path) -> None:
    rows = FLAT.assign(rlnMicrographPixelSize=0.75)
    table = read_particles(star(tmp_path / "a.star", _=rows))
    assert (
        pixel_size(table).tolist() == [1.5, 3.0]
        and table.rows["rlnMicrographPixelSize"].tolist() == [0.75] * 2
    )
    assert pixel_size(pd.DataFrame({"rlnImageName": ["a"], "rlnPixelSize": [2.5]})).tolist() == [2.5]
    with pytest.raises(CryoflowError, match="no pixel size"):
        pixel_size(FLAT[["rlnImageName"]])


def test_micrographs_without_optics(tmp_path: Path) -> None:
    table = read_micrographs(star(tmp_path / "a.star", micrographs=MICROGRAPHS))
    assert (table.style, table.name) == ("3.0", "")
    np.testing.assert_allclose(pixel_size(table), 0.9)


def test_keys_and_values_are_a_table_of_one_row(tmp_path: Path) -> None:
    optics: Block = {
        "rlnOpticsGroup": 4,
        "rlnOpticsGroupName": "g",
        "rlnMicrographPixelSize": 1.25,
        "rlnVoltage": 200.0,
    }
    rows = pd.DataFrame({"rlnMicrographName": ["a.mrc", "b.mrc"], "rlnOpticsGroup": [4, 4]})
    table = read_micrographs(star(tmp_path / "a.star", optics=optics, micrographs=rows))
    assert pixel_size(table).tolist() == [1.25, 1.25] and table.rows["rlnVoltage"].tolist() == [200, 200]
    one: Block = {"rlnMicrographName": "7.mrc", "rlnDefocusU": 9000.0}
    table = read_micrographs(
        star(tmp_path / "b.star", optics=optics, micrographs={**one, "rlnOpticsGroup": 4})
    )
    assert table.rows["rlnMicrographName"].tolist() == ["7.mrc"] and pixel_size(table).tolist() == [1.25]
    assert read_micrographs(star(tmp_path / "c.star", _=one)).rows["rlnDefocusU"].tolist() == [9000.0]
    group = {"rlnOpticsGroup": 4, "rlnVoltage": 200.0}
    bare = read_micrographs(star(tmp_path / "d.star", optics=group, micrographs=rows[["rlnMicrographName"]]))
    assert bare.rows["rlnVoltage"].tolist() == [200, 200]


@pytest.mark.parametrize("name", ["Particles", "model_class_1", "whatever", "images"])
def test_the_only_fitting_block_is_the_table(tmp_path: Path, name: str) -> None:
    write_star(tmp_path / "a.star", {"general": {"rlnComment": "made by hand"}, name: FLAT})
    assert len(read_particles(tmp_path / "a.star").rows) == 2


def test_of_several_fitting_blocks_only_the_usual_name_is_taken(tmp_path: Path) -> None:
    write_star(tmp_path / "a.star", {"good": FLAT, "bad": FLAT})
    with pytest.raises(
        FileError, match=r"a.star: has several tables of particles: data_good, data_bad; keep one"
    ):
        read_particles(tmp_path / "a.star")
    write_star(tmp_path / "a.star", {"good": FLAT, "particles": FLAT[:1]})
    assert len(read_particles(tmp_path / "a.star").rows) == 1
    write_star(tmp_path / "a.star", {"coordinate_files": {"x": 1}, "rest": {"y": 2}})
    with pytest.raises(
        FileError, match=r"has no table of micrographs .data_micrographs.; it has data_coordinate"
    ):
        read_micrographs(tmp_path / "a.star")
