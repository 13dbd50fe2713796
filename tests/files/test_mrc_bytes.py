"""Sign and byte order of MRC files by range, stamp and length; other kinds of file by their first bytes."""

import struct
from pathlib import Path

import numpy as np
import pytest

from cryoflow.errors import FileError
from cryoflow.files.mrc import read_header, read_image, read_images, read_volume, write_mrc
from cryoflow.files.star import read_star

IMOD = 1146047817


def grey(mean: float, sd: float, shape: tuple[int, int] = (300, 256)) -> np.ndarray:
    return np.random.default_rng(3).normal(mean, sd, shape)


def put(
    path: Path,
    numbers: np.ndarray,
    mode: int,
    order: str = "<",
    span: tuple[float, float] | None = None,
    imod: int | None = None,
    stamp: bytes = b"\0\0",
) -> Path:
    """Lay out a file word by word; ``numbers`` are written in their own type."""
    h, w = numbers.shape
    header = bytearray(1024)
    struct.pack_into(f"{order}10i", header, 0, w, h, 1, mode, 0, 0, 0, w, h, 1)
    low, high = (0.0, 0.0) if span is None else span
    struct.pack_into(f"{order}3f", header, 76, low, high, (low + high) / 2)
    if imod is not None:
        struct.pack_into(f"{order}2i", header, 152, IMOD, imod)
    header[208:214] = b"MAP " + stamp
    path.write_bytes(bytes(header) + numbers.astype(numbers.dtype.newbyteorder(order)).tobytes())
    return path


UNSIGNED = np.clip(np.rint(grey(128, 25)), 0, 255).astype(np.uint8)
SIGNED = np.clip(np.rint(grey(0, 25)), -128, 127).astype(np.int8)


def span(numbers: np.ndarray) -> tuple[float, float]:
    return float(numbers.min()), float(numbers.max())


@pytest.mark.parametrize("numbers", [UNSIGNED, SIGNED, (UNSIGNED // 3 + 120).astype(np.uint8)])
@pytest.mark.parametrize("order", "<>")
def test_the_range_tells_the_sign_of_bytes(tmp_path: Path, numbers: np.ndarray, order: str) -> None:
    found = read_image(put(tmp_path / "a.mrc", numbers, 0, order, span(numbers)))
    np.testing.assert_array_equal(found, numbers.astype(np.float32))


@pytest.mark.parametrize(("numbers", "flags"), [(UNSIGNED, 0), (SIGNED, 1), (UNSIGNED, 2), (SIGNED, 3)])
def test_without_a_range_the_stamp_of_imod_tells(tmp_path: Path, numbers: np.ndarray, flags: int) -> None:
    found = read_image(put(tmp_path / "a.mrc", numbers, 0, imod=flags))
    np.testing.assert_array_equal(found, numbers.astype(np.float32))


@pytest.mark.parametrize("numbers", [UNSIGNED, SIGNED])
@pytest.mark.parametrize("stale", [None, (-3.5, 5.25), (0.0, 0.0), (1.0, -1.0)])
def test_without_both_grey_values_lie_together(
    tmp_path: Path, numbers: np.ndarray, stale: tuple[float, float] | None
) -> None:
    """A range of other numbers, left from before they were made bytes, says nothing."""
    found = read_image(put(tmp_path / "a.mrc", numbers, 0, span=stale))
    np.testing.assert_array_equal(found, numbers.astype(np.float32))


def test_what_nothing_tells_is_signed_as_the_standard_has_it(tmp_path: Path) -> None:
    even = np.arange(256, dtype=np.uint8).view(np.int8).reshape(16, 16)
    np.testing.assert_array_equal(read_image(put(tmp_path / "a.mrc", even, 0)), even.astype(np.float32))


@pytest.mark.parametrize(("kind", "mode"), [(np.uint16, 1), (np.int16, 6)])
def test_words_of_the_other_sign(tmp_path: Path, kind: type, mode: int) -> None:
    mean = 40000 if kind is np.uint16 else 0
    numbers = np.rint(grey(mean, 3000)).astype(kind)
    found = read_image(put(tmp_path / "a.mrc", numbers, mode, span=span(numbers)))
    np.testing.assert_array_equal(found, numbers.astype(np.float32))


def test_own_bytes_come_back(tmp_path: Path) -> None:
    for values in (SIGNED, np.abs(SIGNED // 2), SIGNED // 4 + 60):
        write_mrc(tmp_path / "a.mrc", values, 1.5, 0)
        np.testing.assert_array_equal(read_image(tmp_path / "a.mrc"), values.astype(np.float32))


@pytest.mark.parametrize("width", [256, 512, 4096, 300])
@pytest.mark.parametrize("stamp", [b"\0\0", b"\x11\x11", b"\x44\x44"])
@pytest.mark.parametrize("order", "<>")
def test_the_length_tells_the_byte_order(tmp_path: Path, width: int, stamp: bytes, order: str) -> None:
    """Mode 0 is the same both ways, and 512 read the other way is 131072; stamps may be wrong."""
    numbers = np.clip(np.rint(grey(0, 25, (64, width))), -128, 127).astype(np.int8)
    path = put(tmp_path / "a.mrc", numbers, 0, order, span(numbers), stamp=stamp)
    np.testing.assert_array_equal(read_volume(path)[0], numbers.astype(np.float32))


def test_truncated_files_are_told_in_the_order_of_their_stamp(tmp_path: Path) -> None:
    path = put(tmp_path / "a.mrc", SIGNED, 0, ">", span(SIGNED), stamp=b"\x11\x11")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        FileError, match=r"truncated: 1 x 300 x 256 of mode 0 need 77824 bytes, found 77823; copy"
    ):
        read_header(path)


@pytest.mark.parametrize(
    ("start", "name", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "a.jpg", "a JPEG image"),
        (b"\x89PNG\r\n\x1a\n", "a.mrc", "a PNG image"),
        (b"II*\0", "a.tif", "a TIFF image"),
        (b"MM\0*", "a.mrc", "a TIFF image"),
        (b"II+\0", "a.EER", "an EER movie"),
        (b"\x89HDF\r\n\x1a\n", "a.hdf", "an HDF5 file"),
        (b"\x1f\x8b\x08", "a.mrc.gz", "a gzip-compressed file"),
    ],
)
@pytest.mark.parametrize("length", [40, 5000])
def test_other_kinds_are_named_for_what_they_are(
    tmp_path: Path, start: bytes, name: str, kind: str, length: int
) -> None:
    path = tmp_path / name
    path.write_bytes(start.ljust(length, b"\0"))
    with pytest.raises(FileError, match=f"{name}: is {kind}; micrographs and particles must be MRC files"):
        read_image(path)
    if b"\0" in path.read_bytes():
        with pytest.raises(FileError, match=f"{name}: not a STAR file: it is {kind}"):
            read_star(path)


def test_names_without_a_number_are_of_files_of_one_image(tmp_path: Path) -> None:
    write_mrc(tmp_path / "one.mrcs", np.full((1, 4, 4), 7.0), 1.0)
    write_mrc(tmp_path / "two.mrcs", np.zeros((2, 4, 4)), 1.0)
    assert read_images(["one.mrcs", "1@two.mrcs"], tmp_path)[0, 0, 0] == 7
    with pytest.raises(
        FileError, match=r"two.mrcs: its name lacks the number .*@a.mrcs\), and the file holds 2"
    ):
        read_images(["one.mrcs", "two.mrcs"], tmp_path)
