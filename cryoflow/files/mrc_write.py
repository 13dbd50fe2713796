"""Writing MRC files: the same bytes for the same numbers, whole or not at all."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cryoflow.errors import FileError
from cryoflow.files.atomic import write_bytes
from cryoflow.files.mrc_header import DTYPES, LABEL, make_header


def write_mrc(
    path: str | PathLike[str],
    array: npt.ArrayLike,
    pixel_size: float,
    mode: int | None = None,
    label: str = LABEL,
) -> None:
    """Write an image (ny, nx), a stack or a volume (nz, ny, nx); the file appears whole or not at all.

    A name that ends in ``.mrcs`` makes a stack of images (space group 0), any other a volume. No time stamp:
    the same array gives the same bytes.

    Parameters
    ----------
    path : path-like
    array : array_like
    pixel_size : float
        Angstrom; 0 leaves it unset.
    mode : {0, 1, 2, 6, 12}, optional
        Number type, 2 (float32) by default; whole-number modes round.
    label : str
        What the header says of the file, ASCII, at most 80 characters.

    Raises
    ------
    FileError
        When there is nothing to write, or a value does not fit into the mode.
    """
    values = np.asarray(array)
    if values.ndim not in (2, 3) or values.size == 0:
        raise FileError(path, f"no image to write: the array has shape {values.shape}")
    stack = values if values.ndim == 3 else values[None]
    mode = 2 if mode is None else mode
    data = np.ascontiguousarray(_cast(path, stack, mode))
    is_stack = values.ndim == 2 or Path(path).suffix == ".mrcs"
    write_bytes(path, make_header(data, pixel_size, mode, is_stack, label), data.data.cast("B"))


def _cast(path: str | PathLike[str], values: npt.NDArray[np.generic], mode: int) -> npt.NDArray[np.generic]:
    if mode not in DTYPES:
        raise FileError(path, f"cannot write mode {mode}; choose one of {', '.join(map(str, DTYPES))}")
    dtype = np.dtype(DTYPES[mode]).newbyteorder("<")
    if np.can_cast(values.dtype, dtype, "safe"):
        return values.astype(dtype, copy=False)
    if dtype.kind != "f" and values.dtype.kind == "f":
        values = np.rint(values)
    if values.dtype.kind not in "biuf" or not _fits(values, dtype):
        low, high = values.min(), values.max()
        raise FileError(path, f"values from {low:g} to {high:g} do not fit mode {mode} ({dtype.name})")
    return values.astype(dtype)


def _fits(values: npt.NDArray[Any], dtype: np.dtype[Any]) -> bool:
    if values.dtype.kind == "f":
        finite = values[np.isfinite(values)]
        if dtype.kind != "f" and finite.size < values.size:
            return False
        values = finite
    limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return not values.size or bool(limits.min <= values.min() and values.max() <= limits.max)
