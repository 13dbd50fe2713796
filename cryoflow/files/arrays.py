"""Arrays stored exactly, with metadata, in compact ``.npz`` files."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cryoflow.errors import FileError
from cryoflow.files.atomic import read_bytes, write_bytes

_ABOUT = "about"


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
        with np.load(content, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return StoredArrays(arrays, json.loads(arrays.pop(_ABOUT).tobytes()))
    except (ValueError, KeyError, AttributeError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise FileError(path, "is damaged or not a table of cryoflow; remove it") from error
