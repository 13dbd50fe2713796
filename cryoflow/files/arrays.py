"""Arrays stored exactly, with metadata, in compact ``.npz`` files."""

from __future__ import annotations

import io
import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cryoflow.errors import FileError
from cryoflow.files.atomic import read_bytes, write_bytes

_ABOUT = "about"

#: What NumPy and zipfile raise for files that are none of theirs.
_BROKEN = (
    ArithmeticError,
    AttributeError,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


class StoredArrays(NamedTuple):
    """Arrays by name, and metadata as plain JSON values."""

    arrays: Mapping[str, npt.NDArray[Any]]
    about: dict[str, Any]


def write_arrays(path: str | PathLike[str], stored: StoredArrays) -> None:
    """Write arrays atomically; the same arrays give the same bytes."""
    about = np.frombuffer(json.dumps(stored.about, sort_keys=True).encode(), np.uint8)
    everything: dict[str, Any] = {**stored.arrays, _ABOUT: about}
    target = io.BytesIO()
    np.savez(target, **everything)
    write_bytes(path, target.getvalue())


def read_arrays(path: str | PathLike[str]) -> StoredArrays:
    """Read what `write_arrays` wrote.

    Raises
    ------
    FileError
        When the file is missing, damaged or of another kind.
    """
    content = io.BytesIO(read_bytes(path))
    try:
        _check_sizes(content)
        with np.load(content, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(arrays.pop(_ABOUT).tobytes())
        if not isinstance(about, dict):
            raise TypeError("what is known about the arrays is no mapping")
        return StoredArrays(arrays, about)
    except _BROKEN as error:
        raise FileError(path, "is damaged or not a table of cryoflow; remove it") from error


def _check_sizes(content: io.BytesIO) -> None:
    """Refuse arrays that would take more memory than the file has bytes: they are stored uncompressed."""
    length = len(content.getbuffer())
    with zipfile.ZipFile(content) as archive:
        entries = archive.infolist()
        names = {entry.filename for entry in entries}
        if len(names) < len(entries) or sum(entry.file_size for entry in entries) > length:
            raise ValueError("its arrays are larger than the file")
        for entry in entries:
            with archive.open(entry) as member:
                first = np.lib.format.read_magic(member) == (1, 0)
                read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(member)
            if dtype.hasobject or math.prod(shape) * dtype.itemsize > entry.file_size:
                raise ValueError(f"{entry.filename} is larger than the file")
    content.seek(0)
