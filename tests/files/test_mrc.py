"""MRC files against their bytes, and against mrcfile."""

import pickle
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.mrc import (
    MrcHeader,
    join_image_name,
    map_image,
    read_header,
    read_image,
    read_images,
    read_stack,
    read_volume,
    split_image_name,
    write_mrc,
    write_stack,
)
from cryoflow.files.mrc import read as mrc

TYPES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}


def raw(data: np.ndarray, mode: int, order: str = "<", extended: int = 0, **fields: int) -> bytes:
    """Lay out an MRC file by hand: words of four bytes at the places that the standard gives."""
    nz, ny, nx = data.shape
    words = {1: nx, 2: ny, 3: nz, 4: mode, 8: nx, 9: ny, 10: nz, 24: extended} | {
        int(k[1:]): v for k, v in fields.items()
    }
    header = bytearray(1024)
    for word, value in words.items():
        struct.pack_into(f"{order}i", header, 4 * (word - 1), value)
    struct.pack_into(f"{order}3f", header, 40, nx * 1.77, ny * 1.77, nz * 1.77)
    return bytes(header) + b"x" * extended + data.astype(f"{order}{TYPES.get(mode, 'f4')}").tobytes()


def values(shape: tuple[int, ...], mode: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    low, high = {0: (-128, 128), 6: (0, 65536), 12: (-8, 8)}.get(mode, (-1000, 1000))
    return rng.integers(low, high, shape).astype(np.float32)


@pytest.mark.parametrize("mode", TYPES)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("shape", [(1, 5, 8), (3, 7, 4)])
def test_numbers_of_every_mode_and_byte_order(
    tmp_path: Path, mode: int, order: str, shape: tuple[int, ...]
) -> None:
    data, path = values(shape, mode), tmp_path / "a.mrcs"
    path.write_bytes(raw(data, mode, order, extended=160))
    assert read_header(path) == MrcHeader(*shape, mode, 1.77, "")
    for found in (read_volume(path), read_stack(path)):
        assert found.dtype == np.float32 and found.flags.writeable and type(found) is np.ndarray
        np.testing.assert_array_equal(found, data)


def test_images_and_stacks_are_told_apart(tmp_path: Path) -> None:
    one, three = values((1, 5, 8), 2), values((3, 5, 8), 2)
    (tmp_path / "one.mrc").write_bytes(raw(one, 2))
    (tmp_path / "three.mrc").write_bytes(raw(three, 2))
    np.testing.assert_array_equal(read_image(tmp_path / "one.mrc"), one[0])
    np.testing.assert_array_equal(read_stack(tmp_path / "three.mrc", [2, 0, 2]), three[[2, 0, 2]])
    assert read_stack(tmp_path / "three.mrc", []).shape == (0, 5, 8)
    with pytest.raises(FileError, match=r"three.mrc: holds 3 images, expected one; is it a stack\?$"):
        read_image(tmp_path / "three.mrc")
    for index, number in ((3, 4), (-1, 0)):
        with pytest.raises(FileError, match=f"three.mrc: holds 3 images; image {number} does not exist$"):
            read_stack(tmp_path / "three.mrc", [0, index])


DATA = values((2, 4, 6), 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            raw(DATA, 2)[:-1],
            "truncated: 2 x 4 x 6 of mode 2 need 1216 bytes, found 1215; copy the file again",
        ),
        (
            raw(DATA, 2)[:1024],
            "truncated: 2 x 4 x 6 of mode 2 need 1216 bytes, found 1024; copy the file again",
        ),
        (raw(DATA, 2)[:300], "not an MRC file: 300 bytes are fewer than the 1024 of a header"),
        (b"", "not an MRC file: 0 bytes are fewer than the 1024 of a header"),
        (b"data_\n" * 400, "not an MRC file: its header gives "),
        (raw(DATA, 2, f3=0), "holds 0 images"),
        (raw(DATA, 2, f1=-6), "not an MRC file: its header gives 2 x 4 x -6 of mode 2"),
        (raw(DATA, 2, f24=-8), "not an MRC file: its header gives 2 x 4 x 6 of mode 2"),
        (raw(DATA, 7), "not an MRC file: its header gives 2 x 4 x 6 of mode 7"),
        (raw(DATA, 3), "mode 3 (complex 16-bit) is not supported; convert to mode 2 (float32)"),
        (raw(DATA, 4), "mode 4 (complex 32-bit) is not supported; convert to mode 2 (float32)"),
        (raw(DATA, 101), "mode 101 (4-bit) is not supported; convert to mode 2 (float32)"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.mrc"
    path.write_bytes(content)
    for read in (read_header, read_image, read_stack, read_volume):
        with pytest.raises(FileError, match=f"^{re.escape(f'{path}: {message}')}") as caught:
            read(path)
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_missing_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"a.mrc: no such file$"):
        read_image(tmp_path / "a.mrc")
    with pytest.raises(FileError, match=r"cannot be read: Is a directory$"):
        read_image(tmp_path)


@pytest.mark.parametrize(("cell", "samples"), [(0.0, 6), (10.0, 0), (-5.0, 6), (np.nan, 6)])
def test_pixel_size_is_zero_when_unset(tmp_path: Path, cell: float, samples: int) -> None:
    content = bytearray(raw(DATA, 2, f8=samples))
    struct.pack_into("<f", content, 40, cell)
    (tmp_path / "a.mrc").write_bytes(content)
    assert read_header(tmp_path / "a.mrc").pixel_size == 0


def test_bytes_beyond_the_images_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "a.mrc").write_bytes(raw(DATA, 2) + b"more")
    np.testing.assert_array_equal(read_volume(tmp_path / "a.mrc"), DATA)


@pytest.mark.parametrize("mode", TYPES)
@pytest.mark.parametrize(
    ("name", "shape"), [("a.mrc", (5, 8)), ("a.mrcs", (3, 7, 4)), ("b.mrc", (3, 7, 4)), ("c.mrcs", (1, 4, 4))]
)
def test_mrcfile_reads_what_we_write(tmp_path: Path, mode: int, name: str, shape: tuple[int, ...]) -> None:
    data, path = values(shape, mode), tmp_path / name
    write_mrc(path, data, 1.77, mode)
    assert mrcfile.validate(path)
    with mrcfile.open(path) as other:
        np.testing.assert_array_equal(other.data, data.astype(TYPES[mode]).reshape(other.data.shape))
        header = other.header
        assert header.ispg == (1 if name == "b.mrc" else 0)
        assert header.mz == (3 if name == "b.mrc" else 1)
        np.testing.assert_allclose([other.voxel_size[axis] for axis in "xyz"], 1.77, rtol=1e-6)
        assert [bytes(label).rstrip(b"\0") for label in header.label[:2]] == [b"cryoflow", b""]
        stored = data.astype(TYPES[mode]).astype(np.float64)
        statistics = [stored.min(), stored.max(), stored.mean(), stored.std()]
        np.testing.assert_allclose(
            [header.dmin, header.dmax, header.dmean, header.rms], statistics, rtol=1e-6
        )
    nz, ny, nx = data[None].shape[-3:]
    assert read_header(path) == MrcHeader(nz, ny, nx, mode, 1.77)
    np.testing.assert_array_equal(read_volume(path).reshape(shape), data)


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.mrc", "b.mrc"):
        write_mrc(tmp_path / name, DATA, 3.54)
    content = (tmp_path / "a.mrc").read_bytes()
    assert content == (tmp_path / "b.mrc").read_bytes()
    assert content[1024:] == DATA.astype("<f4").tobytes()
    assert content[208:216] == b"MAP DD\0\0"


@pytest.mark.parametrize("mode", [2, 12])
def test_a_stack_written_in_parts_is_the_stack_written_at_once(tmp_path: Path, mode: int) -> None:
    data = values((5, 7, 4), 2)
    write_mrc(tmp_path / "whole.mrcs", data, 1.5, mode, "a label")
    write_stack(tmp_path / "parts.mrcs", iter([data[:2], data[2:3], data[3:]]), 1.5, mode, "a label")
    assert (tmp_path / "parts.mrcs").read_bytes() == (tmp_path / "whole.mrcs").read_bytes()


def test_a_stack_of_which_a_part_fails_is_not_there(tmp_path: Path) -> None:
    def parts() -> Iterator[np.ndarray]:
        yield values((2, 4, 4), 2)
        raise CryoflowError("the second part")

    with pytest.raises(CryoflowError, match="the second part"):
        write_stack(tmp_path / "a.mrcs", parts(), 1.0)
    with pytest.raises(FileError, match="no image to write"):
        write_stack(tmp_path / "a.mrcs", iter([]), 1.0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_mapped_image_has_the_numbers_of_the_file(tmp_path: Path, order: str) -> None:
    (tmp_path / "a.mrc").write_bytes(raw(DATA[:1], 1, order=order))
    image = map_image(tmp_path / "a.mrc")
    assert image.dtype == np.int16 and image.dtype.isnative
    np.testing.assert_array_equal(image, np.rint(DATA[0]))
    image[:] = 0
    assert read_image(tmp_path / "a.mrc").any()


def test_whole_number_modes_round(tmp_path: Path) -> None:
    write_mrc(tmp_path / "a.mrc", [[1.5, 2.5, -1.4]], 1.0, 1)
    assert read_image(tmp_path / "a.mrc").tolist() == [[2.0, 2.0, -1.0]]


def test_a_view_that_is_not_contiguous_and_other_types(tmp_path: Path) -> None:
    data = np.arange(24, dtype=np.int64).reshape(4, 6)[:, ::-2]
    write_mrc(tmp_path / "a.mrc", data, 0.0)
    np.testing.assert_array_equal(read_image(tmp_path / "a.mrc"), data)
    assert read_header(tmp_path / "a.mrc").pixel_size == 0


@pytest.mark.parametrize(
    ("array", "mode", "message"),
    [
        ([[1.0, 70000.0]], 12, "values from 1 to 70000 do not fit mode 12 (float16)"),
        ([[1.0, 70000.0]], 1, "values from 1 to 70000 do not fit mode 1 (int16)"),
        ([[1.0, -1.0]], 6, "values from -1 to 1 do not fit mode 6 (uint16)"),
        ([[1.0, np.nan]], 1, "values from nan to nan do not fit mode 1 (int16)"),
        ([[1e300]], 2, "values from 1e+300 to 1e+300 do not fit mode 2 (float32)"),
        ([[1.0]], 4, "cannot write mode 4; choose one of 0, 1, 2, 6, 12"),
        (np.zeros((0, 4, 4)), 2, "no image to write: the array has shape (0, 4, 4)"),
        (np.zeros(4), 2, "no image to write: the array has shape (4,)"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path: Path, array: np.ndarray, mode: int, message: str) -> None:
    with pytest.raises(FileError, match=f"a.mrc: {re.escape(message)}$"):
        write_mrc(tmp_path / "a.mrc", array, 1.0, mode)
    assert list(tmp_path.iterdir()) == []


def test_infinities_and_nan_may_be_written_as_floats(tmp_path: Path) -> None:
    data = np.array([[np.inf, -np.inf, np.nan, 1.0]])
    for mode in (2, 12):
        write_mrc(tmp_path / "a.mrc", data, 1.0, mode)
        np.testing.assert_array_equal(read_image(tmp_path / "a.mrc"), data)


@given(
    st.integers(0, 10**9),
    st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1).filter(
        lambda s: "/" not in s and s != "."
    ),
)
def test_image_names_come_back(index: int, path: str) -> None:
    assert split_image_name(join_image_name(index, path)) == (index, path)


def test_image_names() -> None:
    assert join_image_name(0, Path("a/b.mrcs")) == "000001@a/b.mrcs"
    assert split_image_name("00000012@a/b.mrcs") == (11, "a/b.mrcs")
    assert split_image_name("a/b.mrc") == (0, "a/b.mrc")
    for name in ("000000@a.mrcs", "@a.mrcs", "x@a.mrcs", "-1@a.mrcs", "1@"):
        with pytest.raises(CryoflowError, match=f"^{name}: not an image name such as 000001@a/b.mrcs"):
            split_image_name(name)


def test_many_images_open_each_stack_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stacks = {f"{name}.mrcs": values((4, 5, 5), 2) + i for i, name in enumerate("abc")}
    for name, data in stacks.items():
        write_mrc(tmp_path / name, data, 1.0)
    opened: list[Path] = []
    monkeypatch.setattr(
        mrc, "read_layout", lambda path, read=mrc.read_layout: opened.append(path) or read(path)
    )
    order = [(name, int(i)) for i in np.random.default_rng(0).permutation(4) for name in stacks] + [
        ("a.mrcs", 0)
    ]
    found = read_images([join_image_name(i, name) for name, i in order], tmp_path)
    np.testing.assert_array_equal(found, np.stack([stacks[name][i] for name, i in order]))
    assert len(opened) == 3


def test_images_that_do_not_go_together_are_told(tmp_path: Path) -> None:
    write_mrc(tmp_path / "a.mrcs", values((2, 5, 5), 2), 1.0)
    write_mrc(tmp_path / "b.mrcs", values((2, 5, 6), 2), 1.0)
    with pytest.raises(FileError, match=r"b.mrcs: images of 5 x 6 px, but a.mrcs has 5 x 5 px$"):
        read_images(["1@a.mrcs", "1@b.mrcs"], tmp_path)
    with pytest.raises(FileError, match=r"a.mrcs: holds 2 images; image 3 does not exist$"):
        read_images(["1@a.mrcs", "3@a.mrcs"], tmp_path)
    with pytest.raises(CryoflowError, match="no images to read"):
        read_images([], tmp_path)


@pytest.mark.parametrize("wanted", [[1, 2], [2, 0], None])
def test_images_behind_an_extended_header(tmp_path: Path, wanted: list[int] | None) -> None:
    images = np.random.default_rng(8).normal(size=(4, 3, 5)).astype(np.float32)
    write_mrc(tmp_path / "a.mrcs", images, 1.0)
    raw = bytearray((tmp_path / "a.mrcs").read_bytes())
    raw[92:96] = struct.pack("<i", 80)  # nsymbt
    raw[1024:1024] = bytes(range(80))
    (tmp_path / "b.mrcs").write_bytes(raw)
    expected = images if wanted is None else images[wanted]
    np.testing.assert_array_equal(read_stack(tmp_path / "b.mrcs", wanted), expected)
