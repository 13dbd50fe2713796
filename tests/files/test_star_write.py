"""What is written can be read again, by us and by others, and is the same each time."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import starfile
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoflow.errors import FileError
from cryoflow.files.star import Block, StarStyle, read_star, write_star
from cryoflow.files.star.format import as_written, number

TEXT_LABELS = ["rlnImageName", "rlnMicrographName", "rlnGroupName", "rlnCtfImage"]
INT_LABELS = ["rlnClassNumber", "rlnGroupNumber", "rlnRandomSubset", "column"]
FLOAT_LABELS = ["rlnCoordinateX", "rlnDefocusU", "rlnParticleSelectZScore", "rlnAnglePsi"]

texts = st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"])).filter(
    lambda text: not ('"' in text and "'" in text)
)
integers = st.integers(-(2**63), 2**63 - 1)
decimals = st.builds(
    lambda digits, power: float(f"{digits}e{power}"),
    st.integers(-(10**12) + 1, 10**12 - 1),
    st.integers(-30, 30),
)
reals = decimals | st.sampled_from([np.inf, -np.inf, np.nan, 0.0, -0.0, 2.8e-05, 1.143004e07])


styles: st.SearchStrategy[StarStyle] = st.sampled_from(["3.0", "3.1"])


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(0, 5))

    def columns(labels: list[str], values: st.SearchStrategy, dtype: str) -> dict[str, pd.Series]:
        chosen = draw(st.lists(st.sampled_from(labels), unique=True))
        return {
            name: pd.Series(draw(st.lists(values, min_size=rows, max_size=rows)), dtype=dtype)
            for name in chosen
        }

    every = columns(TEXT_LABELS, texts, "str") | columns(FLOAT_LABELS, reals, "float64")
    every |= columns(INT_LABELS if rows else INT_LABELS[:3], integers, "int64")
    every = (
        every
        or columns(FLOAT_LABELS[:1], reals, "float64")
        or {"rlnImageName": pd.Series(["a"] * rows, dtype="str")}
    )
    return pd.DataFrame({name: every[name] for name in draw(st.permutations(list(every)))})


simple = st.fixed_dictionaries(
    {}, optional={"rlnModelStarFile": texts, "rlnNrClasses": integers, "rlnCurrentResolution": decimals}
)


@settings(max_examples=200)
@given(
    st.dictionaries(st.sampled_from(["", "optics", "model_general"]), tables() | simple, min_size=1),
    styles,
)
def test_blocks_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, blocks: dict[str, Block], style: StarStyle
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.star"
    write_star(path, blocks, style)
    first = path.read_bytes()
    again = read_star(path)
    assert list(again) == list(blocks)
    for name, block in blocks.items():
        if isinstance(block, dict):
            assert again[name] == block
        else:
            pd.testing.assert_frame_equal(again[name], block, check_exact=True)
    write_star(path, again, style)
    assert path.read_bytes() == first


@settings(max_examples=200)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_long_numbers_keep_six_decimals_or_seven_digits(
    tmp_path_factory: pytest.TempPathFactory, values: list[float]
) -> None:
    path = tmp_path_factory.getbasetemp() / "long.star"
    write_star(path, {"": pd.DataFrame({"rlnCoordinateX": values})})
    rows = read_star(path)[""]
    assert isinstance(rows, pd.DataFrame)
    np.testing.assert_allclose(
        rows["rlnCoordinateX"].to_numpy(),
        values,
        rtol=5.001e-7,
        atol=5.001e-7 if max(map(abs, values)) >= 1e-3 else 0,
    )


def test_numbers_stand_as_relion_writes_them(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {
            "rlnImageName": ["000001@a.mrcs", "b c.mrcs"],
            "rlnCoordinateX": [682.0, -0.06835],
            "rlnClassNumber": [3, -1],
            "rlnAnglePsi": [1 / 3, 1 / 3000 / 4],
            "rlnVoltage": np.array([2.8e-05, 2.84512e-05]),
            "rlnSelected": [True, False],
        }
    )
    write_star(tmp_path / "a.star", {"": rows})
    assert (tmp_path / "a.star").read_text() == (
        "\ndata_\n\nloop_ \n_rlnImageName #1 \n_rlnCoordinateX #2 \n_rlnClassNumber #3 \n_rlnAnglePsi #4 \n"
        "_rlnVoltage #5 \n_rlnSelected #6 \n"
        "000001@a.mrcs   682.000000            3     0.333333     0.000028            1 \n"
        '"b c.mrcs"    -0.068350           -1 8.333333e-05 2.845120e-05            0 \n \n'
    )


def test_newer_style_tags_each_block(tmp_path: Path) -> None:
    blocks: dict[str, Block] = {
        "model_general": {"rlnNrClasses": 2, "rlnMaskName": "", "rlnSigmaOffsets": 0.1},
        "x": pd.DataFrame({"a": [1]}),
    }
    write_star(tmp_path / "a.star", blocks, "3.1")
    assert (tmp_path / "a.star").read_text() == (
        "\n# version 30001\n\ndata_model_general\n\n"
        f'_{"rlnNrClasses":<45} 2\n_{"rlnMaskName":<45} ""\n_{"rlnSigmaOffsets":<45} 0.100000\n \n'
        "\n# version 30001\n\ndata_x\n\nloop_ \n_a #1 \n           1 \n \n"
    )


def test_starfile_reads_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "rlnImageName": [f"{i:06d}@a.mrcs" for i in range(50)],
            "rlnDefocusU": rng.normal(size=50) * 1e4,
            "rlnClassNumber": rng.integers(9, size=50),
        }
    )
    write_star(tmp_path / "a.star", {"particles": rows}, "3.1")
    other = starfile.read(tmp_path / "a.star")
    assert other["rlnImageName"].tolist() == rows["rlnImageName"].tolist()
    np.testing.assert_allclose(other["rlnDefocusU"], rows["rlnDefocusU"], atol=5e-7)
    pd.testing.assert_series_equal(other["rlnClassNumber"], rows["rlnClassNumber"])


def test_starfile_writes_what_we_read(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {"rlnImageName": ["1@a b.mrcs", "2@a.mrcs"], "rlnDefocusU": [1.5, 2.5], "rlnClassNumber": [1, 2]}
    )
    starfile.write({"general": {"rlnNrClasses": 2}, "particles": rows}, tmp_path / "a.star")
    blocks = read_star(tmp_path / "a.star")
    assert blocks["general"] == {"rlnNrClasses": 2}
    pd.testing.assert_frame_equal(blocks["particles"], rows)  # type: ignore[arg-type]


def test_missing_text_and_numbers(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {
            "rlnMicrographName": pd.Series(["a", None], dtype="str"),
            "rlnDefocusU": [1.0, np.nan],
            "mixed": pd.Series([1, "b"], dtype=object),
        }
    )
    write_star(tmp_path / "a.star", {"": rows})
    assert (tmp_path / "a.star").read_text().splitlines()[-3:-1] == [
        "a     1.000000            1 ",
        "None          nan b ",
    ]


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        (
            {"": pd.DataFrame({"a b": [1]})},
            "cannot be written: 'a b' cannot be the name of a block or column",
        ),
        ({"": pd.DataFrame({"_a": [1]})}, "cannot be written: '_a' cannot be the name of a block or column"),
        ({"": pd.DataFrame([[1, 2]], columns=["a", "a"])}, "cannot be written: the column a appears twice"),
        ({"": pd.DataFrame()}, "cannot be written: a table without columns"),
        ({"": {"a": "two\nlines"}}, "cannot be written: 'two\\\\nlines' cannot be quoted in a STAR file"),
        ({"": {"a": "' \""}}, "cannot be quoted in a STAR file"),
    ],
)
def test_what_cannot_stand_in_a_star_file_is_told(
    tmp_path: Path, blocks: dict[str, Block], message: str
) -> None:
    with pytest.raises(FileError, match=message):
        write_star(tmp_path / "a.star", blocks)
    assert list(tmp_path.iterdir()) == []


@given(st.lists(reals | st.floats() | st.floats(-1e7, 1e7).map(lambda value: (np.floor(value) + 0.5) / 1e6)))
def test_numbers_as_written_are_those_that_their_text_tells(values: list[float]) -> None:
    expected = np.array([float(number(value)) for value in values])
    np.testing.assert_array_equal(as_written(np.array(values, dtype="float64")), expected)
