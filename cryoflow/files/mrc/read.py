"""MRC images, volumes and stacks."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.atomic import unreadable
from cryoflow.files.image_names import split_image_name
from cryoflow.files.mrc.header import Layout, MrcHeader, read_header, read_layout

NO_NUMBER = "its name lacks the number of the image (as in 000001@a.mrcs)"

Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.generic]
Indices = Sequence[int] | npt.NDArray[np.integer]


def read_image(path: str | PathLike[str]) -> Floats:
    """Read a file of a single image, such as a micrograph: (ny, nx), float32.

    Raises
    ------
    FileError
        As `read_header`, and when the file holds more than one image.
    """
    return _floats(map_image(path))


def map_image(path: str | PathLike[str]) -> Numbers:
    """Map a file of a single image into memory: (ny, nx), numbers as stored in the file.

    Nothing is read before it is used, and changes to the array are not written to the file.

    Raises
    ------
    FileError
        As `read_image`.
    """
    layout = read_layout(path)
    if layout.header.nz != 1:
        raise FileError(path, f"holds {layout.header.nz} images, expected one; is it a stack?")
    image: Numbers = _map(path, layout)[0]
    return image


def map_stack(path: str | PathLike[str]) -> Numbers:
    """Map a whole file into memory as `map_image` does: (nz, ny, nx)."""
    return _map(path, read_layout(path))


def read_volume(path: str | PathLike[str]) -> Floats:
    """Read a whole file: (nz, ny, nx), float32."""
    return _floats(map_stack(path))


def read_stack(
    path: str | PathLike[str], indices: Sequence[int] | npt.NDArray[np.int64] | None = None
) -> Floats:
    """Read the requested images of a stack: (n, ny, nx), float32.

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
    if indices is None:
        return _floats(_map(path, layout))
    wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
    wrong = wanted[(wanted < 0) | (wanted >= layout.header.nz)]
    if wrong.size:
        raise FileError(path, f"holds {layout.header.nz} images; image {int(wrong[0]) + 1} does not exist")
    if len(wanted) and np.array_equal(wanted, np.arange(wanted[0], wanted[0] + len(wanted))):
        return _run(path, layout, int(wanted[0]), len(wanted))
    return np.asarray(_map(path, layout)[wanted], dtype=np.float32)


def _run(path: str | PathLike[str], layout: Layout, first: int, count: int) -> Floats:
    """Images one after another: read at once they take half the time of mapped ones."""
    header = layout.header
    pixels = header.ny * header.nx
    offset = layout.offset + first * pixels * layout.dtype.itemsize
    try:
        found = np.fromfile(path, layout.dtype, count * pixels, offset=offset)
    except OSError as error:
        raise unreadable(path, error) from error
    return found.astype(np.float32, copy=False).reshape(count, header.ny, header.nx)


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
        if "@" not in name and path not in stacks:
            check_numbered(root / path, read_header(root / path))
        stacks.setdefault(path, []).append((place, index))
    images: Floats | None = None
    for path, wanted in stacks.items():
        found = read_stack(root / path, [index for _, index in wanted])
        if len(stacks) == 1:
            return found
        if images is None:
            images = np.empty((len(names), *found.shape[1:]), dtype=np.float32)
        if found.shape[1:] != images.shape[1:]:
            first = next(iter(stacks))
            raise FileError(root / path, f"images of {_size(found)} px, but {first} has {_size(images)} px")
        images[[place for place, _ in wanted]] = found
    assert images is not None
    return images


def check_numbered(path: str | PathLike[str], header: MrcHeader) -> None:
    """Refuse an image name without a number for a stack of several images.

    Raises
    ------
    FileError
        When the file holds more than one image.
    """
    if header.nz > 1:
        raise FileError(path, f"{NO_NUMBER}, and the file holds {header.nz} images")


def _map(path: str | PathLike[str], layout: Layout) -> Numbers:
    header = layout.header
    shape = (header.nz, header.ny, header.nx)
    try:
        found = np.memmap(path, layout.dtype, "c", layout.offset, shape)
    except OSError as error:
        raise unreadable(path, error) from error
    return np.asarray(found, layout.dtype.newbyteorder("="))


def _floats(values: npt.NDArray[np.generic]) -> Floats:
    return np.array(values, dtype=np.float32, order="C", copy=True, subok=False)


def _size(images: Floats) -> str:
    return f"{images.shape[1]} x {images.shape[2]}"
