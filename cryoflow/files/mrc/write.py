"""Atomic, reproducible writing of MRC files."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cryoflow.errors import FileError
from cryoflow.files.atomic import replacing
from cryoflow.files.mrc.header import LABEL, SIZE, make_header
from cryoflow.files.mrc.moments import Moments
from cryoflow.files.mrc.number_type import DTYPES


def write_mrc(
    path: str | PathLike[str],
    array: npt.ArrayLike,
    pixel_size: float,
    mode: int | None = None,
    label: str = LABEL,
) -> None:
    """Write an image (ny, nx), a stack or a volume (nz, ny, nx) atomically.

    An image, and what is called ``.mrcs``, is a stack of images (space group 0), anything else a volume. No
    time stamp: the same array gives the same bytes.

    Parameters
    ----------
    path : path-like
    array : array_like
    pixel_size : float
        Angstrom; 0 leaves it unset.
    mode : {0, 1, 2, 6, 12}, optional
        Number type, 2 (float32) by default; whole-number modes round.
    label : str
        Label in the header, ASCII, at most 80 characters.

    Raises
    ------
    FileError
        When there is nothing to write, or a value does not fit into the mode.
    """
    values = np.asarray(array)
    if values.ndim not in (2, 3) or values.size == 0:
        raise FileError(path, f"no image to write: the array has shape {values.shape}")
    stack = values if values.ndim == 3 else values[None]
    is_stack = values.ndim == 2 or Path(path).suffix == ".mrcs"
    _write(path, [stack], pixel_size, 2 if mode is None else mode, is_stack, label)


def write_stack(
    path: str | PathLike[str],
    parts: Iterable[npt.NDArray[np.generic]],
    pixel_size: float,
    mode: int = 2,
    label: str = LABEL,
) -> None:
    """Write a stack of images that arrive in parts, (n, ny, nx); only one part is held in memory.

    The bytes equal those of `write_mrc` for all images together. If a part fails, no file is
    left.
    """
    _write(path, parts, pixel_size, mode, True, label)


def _write(
    path: str | PathLike[str],
    parts: Iterable[npt.NDArray[np.generic]],
    pixel_size: float,
    mode: int,
    is_stack: bool,
    label: str,
) -> None:
    number, size, moments = 0, (0, 0), Moments()
    with replacing(path) as temporary, temporary.open("r+b") as file:
        file.seek(SIZE)
        for part in parts:
            data = np.ascontiguousarray(_cast(path, part, mode))
            moments.add(data)
            file.write(data.data.cast("B"))
            number, size = number + len(data), data.shape[1:]
        if not number:
            raise FileError(path, "no image to write")
        file.seek(0)
        file.write(make_header((number, *size), moments, pixel_size, mode, is_stack, label))


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
