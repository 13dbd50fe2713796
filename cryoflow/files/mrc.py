"""MRC images, volumes and stacks."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.atomic import unreadable, write_bytes
from cryoflow.files.mrc_header import DTYPES, Layout, MrcHeader, make_header, read_header, read_layout

__all__ = [
    "MrcHeader",
    "join_image_name",
    "read_header",
    "read_image",
    "read_images",
    "read_stack",
    "read_volume",
    "split_image_name",
    "write_mrc",
]

Floats = npt.NDArray[np.float32]
Indices = Sequence[int] | npt.NDArray[np.integer]


def read_image(path: str | PathLike[str]) -> Floats:
    """Read a file of a single image, such as a micrograph: (ny, nx), float32.

    Raises
    ------
    FileError
        As `read_header`, and when the file holds more than one image.
    """
    layout = read_layout(path)
    if layout.header.nz != 1:
        raise FileError(path, f"holds {layout.header.nz} images where one is wanted; is it a stack?")
    return _floats(_map(path, layout)[0])


def read_volume(path: str | PathLike[str]) -> Floats:
    """Read a whole file: (nz, ny, nx), float32."""
    return _floats(_map(path, read_layout(path)))


def read_stack(
    path: str | PathLike[str], indices: Sequence[int] | npt.NDArray[np.int64] | None = None
) -> Floats:
    """Read images of a stack, only those asked for: (n, ny, nx), float32.

    Parameters
    ----------
    path : path-like
    indices : sequence of int, optional
        From 0, in any order, repeats allowed; all images if left out.

    Raises
    ------
    FileError
        As `read_header`, and when the stack lacks one of the images.
    """
    layout = read_layout(path)
    images = _map(path, layout)
    if indices is None:
        return _floats(images)
    wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
    wrong = wanted[(wanted < 0) | (wanted >= layout.header.nz)]
    if wrong.size:
        raise FileError(path, f"holds {layout.header.nz} images; there is no number {int(wrong[0]) + 1}")
    return np.asarray(images[wanted], dtype=np.float32)


def split_image_name(name: str) -> tuple[int, str]:
    """Split ``"000012@a/b.mrcs"`` into ``(11, "a/b.mrcs")``; without ``@`` it is the first image.

    Raises
    ------
    CryoflowError
        When there is no number of 1 or more before the ``@``.
    """
    number, at, path = name.partition("@")
    if not at:
        return 0, name
    if not (number.isascii() and number.isdigit() and int(number) > 0 and path):
        raise CryoflowError(f"{name}: not an image name such as 000001@a/b.mrcs (counted from 1)")
    return int(number) - 1, path


def join_image_name(index: int, path: str | PathLike[str]) -> str:
    """Name an image of a stack by its index from 0: ``join_image_name(0, "b.mrcs") == "000001@b.mrcs"``."""
    return f"{index + 1:06d}@{Path(path).as_posix()}"


def read_images(names: Sequence[str], root: Path) -> Floats:
    """Read particles by their image names: (n, ny, nx) float32, in the order of `names`.

    Each stack is opened once, however the names are ordered.

    Parameters
    ----------
    names : sequence of str
        At least one, e.g. ``"000001@Extract/job012/Micrographs/a.mrcs"``.
    root : Path
        The folder that the paths in the names start from.

    Raises
    ------
    FileError
        When a stack cannot be read, lacks an image, or has images of another size than the first.
    """
    if not len(names):
        raise CryoflowError("no images to read: the list of image names is empty")
    stacks: dict[str, list[tuple[int, int]]] = {}
    for place, name in enumerate(names):
        index, path = split_image_name(name)
        stacks.setdefault(path, []).append((place, index))
    images: Floats | None = None
    for path, wanted in stacks.items():
        found = read_stack(root / path, [index for _, index in wanted])
        if images is None:
            images = np.empty((len(names), *found.shape[1:]), dtype=np.float32)
        if found.shape[1:] != images.shape[1:]:
            first = next(iter(stacks))
            raise FileError(root / path, f"images of {_size(found)} where {first} has {_size(images)}")
        images[[place for place, _ in wanted]] = found
    assert images is not None
    return images


def write_mrc(
    path: str | PathLike[str], array: npt.ArrayLike, pixel_size: float, mode: int | None = None
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
    write_bytes(path, make_header(data, pixel_size, mode, is_stack), data.tobytes())


def _cast(path: str | PathLike[str], values: npt.NDArray[np.generic], mode: int) -> npt.NDArray[np.generic]:
    if mode not in DTYPES:
        raise FileError(path, f"cannot write mode {mode}; choose one of {', '.join(map(str, DTYPES))}")
    dtype = np.dtype(DTYPES[mode]).newbyteorder("<")
    if np.can_cast(values.dtype, dtype, "safe"):
        return values.astype(dtype)
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


def _map(path: str | PathLike[str], layout: Layout) -> npt.NDArray[np.generic]:
    header = layout.header
    shape = (header.nz, header.ny, header.nx)
    try:
        return np.memmap(path, layout.dtype, "r", layout.offset, shape)
    except OSError as error:
        raise unreadable(path, error) from error


def _floats(values: npt.NDArray[np.generic]) -> Floats:
    return np.array(values, dtype=np.float32, order="C", copy=True, subok=False)


def _size(images: Floats) -> str:
    return f"{images.shape[1]} x {images.shape[2]}"
