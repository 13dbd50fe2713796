"""SPIDER images, the format of RELION's figure-of-merit maps."""

from __future__ import annotations

from os import PathLike
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cryoflow.errors import FileError
from cryoflow.files.atomic import read_bytes

# positions in the header, in words of four bytes from 0
_SLICES, _ROWS, _KIND, _MAXIMUM, _COLUMNS, _HEADER_BYTES = 0, 1, 4, 6, 11, 21
_IMAGE = 1
_SHORTEST = 256 * 4


class SpiderImage(NamedTuple):
    """An image and the header's field for its maximum.

    Attributes
    ----------
    data : ndarray, (ny, nx) float32
    maximum : float
        Value in the header, which may differ from the maximum of `data`: RELION's picking stores the expected
        height of a peak here.
    """

    data: npt.NDArray[np.float32]
    maximum: float


def read_spider(path: str | PathLike[str]) -> SpiderImage:
    """Read a SPIDER image of either byte order.

    Raises
    ------
    FileError
        When the file cannot be read, is not a SPIDER image, or is truncated.
    """
    content = read_bytes(path)
    if len(content) < _SHORTEST:
        raise FileError(path, f"not a SPIDER image: {len(content)} bytes are too few for a header")
    for order in "<>":
        header = np.frombuffer(content[:_SHORTEST], f"{order}f4")
        rows, columns, offset = (float(header[i]) for i in (_ROWS, _COLUMNS, _HEADER_BYTES))
        if _is_image(header) and _all_whole(rows, columns, offset):
            return _image(path, content, f"{order}f4", (int(rows), int(columns)), int(offset))
    raise FileError(path, "not a SPIDER image")


def _is_image(header: npt.NDArray[np.floating]) -> bool:
    return bool(header[_KIND] == _IMAGE and abs(header[_SLICES]) == 1)


def _all_whole(*values: float) -> bool:
    return all(0 < value < 2**24 and value.is_integer() for value in values)


def _image(
    path: str | PathLike[str], content: bytes, dtype: str, shape: tuple[int, int], offset: int
) -> SpiderImage:
    rows, columns = shape
    expected = offset + 4 * rows * columns
    if len(content) < expected:
        raise FileError(path, f"truncated: {rows} x {columns} need {expected} bytes, found {len(content)}")
    data = np.frombuffer(content, dtype, rows * columns, offset).reshape(shape)
    return SpiderImage(data.astype(np.float32), float(np.frombuffer(content, dtype, 1, 4 * _MAXIMUM)[0]))
