"""SPIDER images against bytes laid out by hand."""

import re
import struct
from pathlib import Path

import numpy as np
import pytest

from cryoflow.errors import FileError
from cryoflow.files.spider import read_spider


def spider(data: np.ndarray, order: str = "<", kind: float = 1.0, slices: float = 1.0) -> bytes:
    rows, columns = data.shape
    records = -(-1024 // (4 * columns))
    header = bytearray(records * 4 * columns)
    words = {
        1: slices,
        2: rows,
        5: kind,
        7: 1.0015,
        12: columns,
        13: records,
        22: len(header),
        23: 4 * columns,
    }
    for word, value in words.items():
        struct.pack_into(f"{order}f", header, 4 * (word - 1), value)
    return bytes(header) + data.astype(f"{order}f4").tobytes()


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("shape", [(5, 8), (9, 3), (340, 341)])
def test_images_of_either_byte_order(tmp_path: Path, order: str, shape: tuple[int, int]) -> None:
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    (tmp_path / "a.spi").write_bytes(spider(data, order))
    image = read_spider(tmp_path / "a.spi")
    np.testing.assert_array_equal(image.data, data)
    assert image.data.dtype == np.float32 and image.data.dtype.isnative
    assert image.maximum == pytest.approx(1.0015)


DATA = np.zeros((5, 8), dtype=np.float32)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (spider(DATA)[:-4], "truncated: 5 x 8 need 1184 bytes, found 1180"),
        (b"data_", "not a SPIDER image: 5 bytes are too few for a header"),
        (b"\0" * 5000, "not a SPIDER image"),
        (spider(DATA, kind=3.0), "not a SPIDER image"),
        (spider(DATA, slices=8.0), "not a SPIDER image"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.spi").write_bytes(content)
    with pytest.raises(FileError, match=f"a.spi: {re.escape(message)}$"):
        read_spider(tmp_path / "a.spi")
