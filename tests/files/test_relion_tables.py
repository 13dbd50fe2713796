"""Both styles of RELION's tables come to the same rows and go back."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.star import Block, read_star, write_star
from cryoflow.files.tables import (
    Table,
    one_pixel_size,
    pixel_size,
    read_micrographs,
    read_particles,
    require,
    write_table,
)

OPTICS = pd.DataFrame(
    {
        "rlnOpticsGroupName": ["grid1", "grid2"],
        "rlnOpticsGroup": [1, 7],
        "rlnVoltage": [300.0, 200.0],
        "rlnSphericalAberration": [2.7, 1.4],
        "rlnAmplitudeContrast": [0.1, 0.1],
        "rlnImagePixelSize": [1.5, 2.0],
        "rlnImageSize": [64, 64],
        "rlnImageDimensionality": [2, 2],
        "labColumn": ["x", "y"],
    }
)
PARTICLES = pd.DataFrame(
    {
        "rlnImageName": ["1@a.mrcs", "2@a.mrcs", "1@b.mrcs"],
        "rlnOpticsGroup": [7, 1, 7],
        "rlnOriginXAngst": [3.0, 3.0, -1.0],
        "rlnOriginYAngst": [0.0, 0.5, 9.123456],
        "rlnClassNumber": [1, 2, 1],
    }
)
OLD = pd.DataFrame(
    {
        "rlnImageName": ["1@a.mrcs", "2@a.mrcs", "1@b.mrcs"],
        "rlnOriginX": [1.0, 2.0, -3.5],
        "rlnVoltage": [300.0, 300.00001, 200.0],
        "rlnSphericalAberration": [2.7, 2.7, 2.7],
        "rlnAmplitudeContrast": [0.1, 0.1, 0.1],
        "rlnMagnification": [79096.0, 79096.0, 10000.0],
        "rlnDetectorPixelSize": [14.0, 14.0, 1.77],
    }
)


def blocks(path: Path) -> dict[str, pd.DataFrame]:
    return {name: block for name, block in read_star(path).items() if isinstance(block, pd.DataFrame)}


def newer(
    path: Path, optics: pd.DataFrame = OPTICS, rows: pd.DataFrame = PARTICLES, name: str = "particles"
) -> Path:
    write_star(path, {"optics": optics, name: rows}, "3.1")
    return path


def test_newer_particles_come_flat_and_in_pixels(tmp_path: Path) -> None:
    table = read_particles(newer(tmp_path / "a.star"))
    assert (table.style, table.name, table.path) == ("3.1", "particles", tmp_path / "a.star")
    rows = table.rows
    assert rows["rlnOriginX"].tolist() == [1.5, 2.0, -0.5]
    np.testing.assert_allclose(rows["rlnOriginY"], [0.0, 0.5 / 1.5, 4.561728], rtol=1e-14)
    assert rows["rlnVoltage"].tolist() == [200.0, 300.0, 200.0]
    assert rows["rlnMagnification"].tolist() == [10000.0] * 3
    assert rows["rlnDetectorPixelSize"].tolist() == [2.0, 1.5, 2.0]
    assert rows["rlnOpticsGroupName"].tolist() == ["grid2", "grid1", "grid2"]
    assert rows["rlnOpticsGroup"].tolist() == [7, 1, 7]
    assert rows["rlnImageSize"].tolist() == [64, 64, 64]
    assert not {"rlnOriginXAngst", "rlnOriginYAngst", "rlnImagePixelSize"} & set(rows.columns)
    np.testing.assert_allclose(pixel_size(table), [2.0, 1.5, 2.0])


def test_newer_particles_go_back_as_they_came(tmp_path: Path) -> None:
    write_table(tmp_path / "b.star", read_particles(newer(tmp_path / "a.star")))
    again = blocks(tmp_path / "b.star")
    pd.testing.assert_frame_equal(again["optics"], OPTICS)
    pd.testing.assert_frame_equal(again["particles"][PARTICLES.columns], PARTICLES)
    assert len(again["particles"].columns) == len(PARTICLES.columns)


def test_newer_particles_as_relion_30_and_back(tmp_path: Path) -> None:
    table = read_particles(newer(tmp_path / "a.star"))
    write_table(tmp_path / "b.star", table, "3.0")
    old = read_particles(tmp_path / "b.star")
    assert (old.style, old.name, list(read_star(tmp_path / "b.star"))) == ("3.0", "", [""])
    assert not {"rlnOpticsGroup", "rlnOpticsGroupName", "rlnImagePixelSize"} & set(old.rows.columns)
    assert "# version" not in (tmp_path / "b.star").read_text()
    np.testing.assert_allclose(pixel_size(old), [2.0, 1.5, 2.0])
    write_table(tmp_path / "c.star", old, "3.1")
    again = read_particles(tmp_path / "c.star")
    shared = [name for name in table.rows.columns if not name.startswith("rlnOpticsGroup")]
    pd.testing.assert_frame_equal(again.rows[shared], table.rows[shared], rtol=0, atol=1e-6)


def test_relion_30_rows_are_grouped_with_tolerance(tmp_path: Path) -> None:
    write_table(tmp_path / "a.star", Table(OLD, "3.0", tmp_path / "x.star", ""), "3.1")
    written = blocks(tmp_path / "a.star")
    assert list(written) == ["optics", "particles"]
    assert written["optics"].to_dict("list") == {
        "rlnOpticsGroupName": ["opticsGroup1", "opticsGroup2"],
        "rlnOpticsGroup": [1, 2],
        "rlnVoltage": [300.0, 200.0],
        "rlnSphericalAberration": [2.7, 2.7],
        "rlnAmplitudeContrast": [0.1, 0.1],
        "rlnImagePixelSize": [1.770001, 1.77],
    }
    assert written["particles"]["rlnOpticsGroup"].tolist() == [1, 1, 2]
    np.testing.assert_allclose(
        written["particles"]["rlnOriginXAngst"], np.array([1, 2, -3.5]) * 1.77, atol=1e-5
    )
    assert list(written["particles"]) == ["rlnImageName", "rlnOriginXAngst", "rlnOpticsGroup"]


def test_micrographs_of_both_styles(tmp_path: Path) -> None:
    old = OLD.drop(columns=["rlnOriginX", "rlnImageName"]).assign(
        rlnMicrographName=["a.mrc", "b.mrc", "c.mrc"]
    )
    write_star(tmp_path / "old.star", {"": old})
    table = read_micrographs(tmp_path / "old.star")
    assert (table.style, table.name, table.optics) == ("3.0", "", ())
    pd.testing.assert_frame_equal(table.rows, old)
    write_table(tmp_path / "new.star", table, "3.1")
    written = blocks(tmp_path / "new.star")
    assert list(written) == ["optics", "micrographs"]
    assert written["optics"]["rlnMicrographPixelSize"].tolist() == [1.770001, 1.77]
    again = read_micrographs(tmp_path / "new.star")
    np.testing.assert_allclose(pixel_size(again), 1.77, rtol=1e-5)
    assert again.rows["rlnMicrographName"].tolist() == ["a.mrc", "b.mrc", "c.mrc"]
    assert (tmp_path / "new.star").read_text().count("# version 30001") == 2


def test_old_tables_go_back_unchanged(tmp_path: Path) -> None:
    write_star(tmp_path / "a.star", {"": OLD.assign(truthKind=[1, 2, 3])})
    write_table(tmp_path / "b.star", read_particles(tmp_path / "a.star"))
    assert (tmp_path / "b.star").read_bytes() == (tmp_path / "a.star").read_bytes()


def test_particles_of_a_classification_by_relion_30(tmp_path: Path) -> None:
    write_star(tmp_path / "a.star", {"images": OLD})
    table = read_particles(tmp_path / "a.star")
    assert (table.style, table.name) == ("3.0", "")
    write_table(tmp_path / "b.star", table)
    assert list(read_star(tmp_path / "b.star")) == [""]
    with pytest.raises(
        FileError, match=r"a.star: has no table of micrographs \(data_micrographs\); it has data_im"
    ):
        read_micrographs(tmp_path / "a.star")


def test_a_changed_pixel_size_splits_a_group(tmp_path: Path) -> None:
    table = read_particles(newer(tmp_path / "a.star"))
    table.rows.loc[0, "rlnDetectorPixelSize"] = 4.0
    write_table(tmp_path / "b.star", table)
    optics = blocks(tmp_path / "b.star")["optics"]
    assert optics["rlnOpticsGroup"].tolist() == [1, 2, 3]
    assert optics["rlnImagePixelSize"].tolist() == [4.0, 1.5, 2.0]
    assert optics["rlnOpticsGroupName"].tolist() == ["opticsGroup1", "opticsGroup2", "opticsGroup3"]


def test_a_selection_keeps_numbers_and_names(tmp_path: Path) -> None:
    table = read_particles(newer(tmp_path / "a.star"))
    write_table(tmp_path / "b.star", table._replace(rows=table.rows.iloc[[2, 0]]))
    written = blocks(tmp_path / "b.star")
    assert written["optics"]["rlnOpticsGroupName"].tolist() == ["grid2"]
    assert written["optics"]["rlnOpticsGroup"].tolist() == [7]
    assert written["particles"]["rlnImageName"].tolist() == ["1@b.mrcs", "1@a.mrcs"]


@pytest.mark.parametrize("style", ["3.0", "3.1"])
def test_tables_without_rows(tmp_path: Path, style: str) -> None:
    table = read_particles(newer(tmp_path / "a.star"))
    write_table(tmp_path / "b.star", table._replace(rows=table.rows.iloc[:0]), style)  # type: ignore[arg-type]
    again = read_particles(tmp_path / "b.star")
    assert len(again.rows) == 0 and pixel_size(again).shape == (0,)
    assert {"rlnImageName", "rlnVoltage", "rlnOriginX"} <= set(again.rows.columns)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-9999, 9999)), min_size=1, max_size=12), st.booleans()
)
def test_every_particle_keeps_its_values(
    tmp_path_factory: pytest.TempPathFactory, particles: list[tuple[int, int]], twice: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "kept.star"
    sizes, kilovolts = np.array([0.885, 1.77, 3.54, 1.0625]), np.array([200.0, 300.0, 300.0, 200.0])
    group = np.array([number for number, _ in particles])
    rows = pd.DataFrame({"rlnImageName": [f"{i + 1}@a.mrcs" for i in range(len(group))]})
    rows["rlnOriginX"] = [shift / 100 for _, shift in particles]
    rows["rlnVoltage"], rows["rlnMagnification"], rows["rlnDetectorPixelSize"] = (
        kilovolts[group],
        10000.0,
        sizes[group],
    )
    write_table(path, Table(rows, "3.0", path, "particles"), "3.1")
    if twice:
        write_table(path, read_particles(path))
    again = read_particles(path)
    assert again.rows["rlnOpticsGroup"].nunique() == len(set(group))
    np.testing.assert_array_equal(pixel_size(again), sizes[group])
    pd.testing.assert_frame_equal(
        again.rows[["rlnImageName", "rlnVoltage"]], rows[["rlnImageName", "rlnVoltage"]]
    )
    np.testing.assert_allclose(again.rows["rlnOriginX"], rows["rlnOriginX"], atol=1e-6)


def test_pixel_size_of_every_statement() -> None:
    pair = {"rlnMagnification": [10000.0, 50000.0], "rlnDetectorPixelSize": [1.77, 5.0]}
    np.testing.assert_allclose(pixel_size(pd.DataFrame(pair)), [1.77, 1.0])
    assert pixel_size(pd.DataFrame({"rlnImagePixelSize": [3.54]})).tolist() == [3.54]
    assert pixel_size(pd.DataFrame({"rlnMicrographPixelSize": [2]})).tolist() == [2.0]


def test_a_missing_or_senseless_pixel_size_is_told(tmp_path: Path) -> None:
    rows = pd.DataFrame({"rlnImageName": ["1@a.mrcs"], "rlnMagnification": [10000.0]})
    table = Table(rows, "3.0", tmp_path / "a.star", "")
    ways = "needs rlnMagnification and rlnDetectorPixelSize, or rlnImagePixelSize or rlnMicrographPixelSize"
    with pytest.raises(FileError, match=f"a.star: no pixel size: {ways}$"):
        pixel_size(table)
    with pytest.raises(CryoflowError, match=f"^no pixel size: {ways}$"):
        pixel_size(rows)
    with pytest.raises(FileError, match=f"b.star: cannot be written: no pixel size: {ways}$"):
        write_table(tmp_path / "b.star", table, "3.1")
    zero = rows.assign(rlnDetectorPixelSize=0.0)
    with pytest.raises(
        CryoflowError, match=r"^the pixel size of row 1 is 0 A, by rlnMagnification and rlnDetectorP"
    ):
        pixel_size(zero)
    with pytest.raises(
        CryoflowError, match=r"^the pixel size of row 1 is 1e\+12 A, .*must be 0.01 to 100 A$"
    ):
        pixel_size(rows.assign(rlnDetectorPixelSize=1e12, rlnMagnification=1e4))


def test_missing_columns_are_all_named(tmp_path: Path) -> None:
    table = Table(OLD[["rlnImageName", "rlnVoltage"]], "3.0", tmp_path / "a.star", "")
    require(table, "rlnImageName", "rlnVoltage")
    with pytest.raises(
        FileError, match=r"a.star: lacks the column rlnDefocusU; it has rlnImageName, rlnVoltage$"
    ):
        require(table, "rlnImageName", "rlnDefocusU")
    with pytest.raises(FileError, match=r"a.star: lacks the columns rlnDefocusU, rlnDefocusV; it has"):
        require(table, "rlnDefocusU", "rlnDefocusV")


@pytest.mark.parametrize(
    ("name", "message"),
    [("", "is empty; remove the row"), ("a\udce9.mrc", "is not in UTF-8; rename the file")],
)
def test_names_that_cannot_be_used_are_told(tmp_path: Path, name: str, message: str) -> None:
    rows = pd.DataFrame({"rlnMicrographName": ["\u00e9.mrc", name]}, dtype=object)
    table = Table(rows, "3.0", tmp_path / "a.star", "")
    with pytest.raises(FileError, match=f"a.star: rlnMicrographName of row 2 {message}"):
        require(table, "rlnMicrographName")
    require(table._replace(rows=rows[:1]), "rlnMicrographName")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"model_general": {"a": 1}, "x": OLD.drop(columns="rlnImageName")},
            "has no table of particles (data_particles); it has data_model_general, data_x",
        ),
        (
            {"optics": OPTICS, "micrographs": OLD.drop(columns="rlnImageName")},
            "has no table of particles (data_particles); it has data_optics, data_micrographs",
        ),
        ({"": {"a": 1}}, "has no table of particles (data_particles); it has data_"),
        ({"particles": {}}, "data_particles holds no table of columns (no loop_)"),
        ({"optics": OPTICS, "particles": OLD}, "the table lacks the column rlnOpticsGroup"),
        ({"optics": OLD, "particles": PARTICLES}, "data_optics lacks the column rlnOpticsGroup"),
        ({"optics": OPTICS[:1], "particles": PARTICLES}, "rlnOpticsGroup 7 of row 1 is not in data_optics"),
        (
            {"optics": pd.concat([OPTICS, OPTICS[:1]]), "particles": PARTICLES},
            "rlnOpticsGroup 1 is in data_optics twice",
        ),
        (
            {"optics": OPTICS.drop(columns="rlnImagePixelSize"), "particles": PARTICLES},
            "rlnOriginXAngst is in A and cannot be converted to pixels: no pixel size: needs rlnMag",
        ),
    ],
)
def test_tables_that_do_not_fit_are_told(tmp_path: Path, content: dict[str, Block], message: str) -> None:
    path = tmp_path / "a.star"
    write_star(path, content, "3.1")
    with pytest.raises(FileError, match=f"^{re.escape(f'{path}: {message}')}"):
        read_particles(path)


def of_pixel_sizes(*sizes: float) -> Table:
    return Table(pd.DataFrame({"rlnImagePixelSize": sizes}), "3.0", Path("p.star"), "")


@pytest.mark.parametrize("sizes", [(5.0, 5.004), (5.0, 4.996), (0.5, 0.5004)])
def test_pixel_sizes_that_differ_by_less_than_a_thousandth_are_one(sizes: tuple[float, float]) -> None:
    assert one_pixel_size(of_pixel_sizes(*sizes), "p.star") == sizes[0]


@pytest.mark.parametrize("sizes", [(5.0, 5.006), (0.5, 0.5008)])
def test_other_pixel_sizes_are_several(sizes: tuple[float, float]) -> None:
    with pytest.raises(FileError, match=r"^p.star: particles of several pixel sizes \(.* A\); rescale them"):
        one_pixel_size(of_pixel_sizes(*sizes), "p.star")
