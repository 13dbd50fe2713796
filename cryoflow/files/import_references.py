"""References of other programs: class averages, stacks and maps, with measured properties."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cryoflow.errors import FileError
from cryoflow.files.mrc import read_header, read_volume, write_mrc
from cryoflow.files.vocabulary import SAME_SIZE

_INNER = 0.3
"""Radius of the disc or ball where a particle is expected, as a fraction of the box."""
_CLEAR = 0.2
"""Minimum difference of particle and background to determine the contrast, in standard deviations of the
background.
"""


class References(NamedTuple):
    """What was imported."""

    images: int
    size_px: int
    said: tuple[str, ...]
    warned: tuple[str, ...]


def import_references(source: Path, out: Path, pixel_size_a: float | None = None) -> References:
    """Write references with their pixel size in the header, and measure contrast and grey scale.

    Parameters
    ----------
    source, out : Path
        MRC files; ``.mrcs`` is a stack of images, and so is any file that is not a cube.
    pixel_size_a : float, optional
        Required if the header's is 0 or 1, which means "not set".

    Raises
    ------
    FileError
        When the images are not square, the pixel size is not known, or a map is to become a stack.
    """
    header = read_header(source)
    if header.ny != header.nx:
        raise FileError(source, f"its images are {header.nx} x {header.ny} pixels; references must be square")
    is_map = header.nz == header.nx and source.suffix != ".mrcs"
    if is_map != (out.suffix == ".mrc") or out.suffix not in {".mrc", ".mrcs"}:
        wanted = "a map; name it .mrc" if is_map else "images; name the file .mrcs"
        raise FileError(out, f"{source} holds {wanted}")
    warned = []
    pixel = pixel_size_a if pixel_size_a is not None else header.known_pixel_size
    if pixel is None:
        text = f"its header gives a pixel size of {header.pixel_size:g} A, which means 'not set'"
        raise FileError(source, f"{text}; give the true one (--pixel-size)")
    if header.known_pixel_size is not None and abs(header.known_pixel_size - pixel) > SAME_SIZE * pixel:
        warned.append(f"its header has {header.known_pixel_size:g} A; using {pixel:g} A")
    values = read_volume(source)
    if not np.isfinite(values).all():
        raise FileError(source, "holds values that are not finite; export it again")
    what = "a map" if is_map else f"{header.nz} images"
    size = f"{what} of {header.nx} pixels of {pixel:g} A: {header.nx * pixel:.0f} A across"
    said = [size, *_measured(values, is_map, warned)]
    write_mrc(out, values, pixel)
    return References(1 if is_map else header.nz, header.nx, tuple(said), tuple(warned))


def _measured(values: npt.NDArray[np.float32], is_map: bool, warned: list[str]) -> list[str]:
    """Contrast and grey scale, in words."""
    objects = values[None] if is_map else values
    inner, outer = _regions(objects.shape[1:])
    particle, around = objects[:, inner].mean(1), objects[:, outer]
    level, spread = around.mean(1), around.std(1)
    scale = np.where(spread > 0, spread, objects.reshape(len(objects), -1).std(1))
    empty = int((scale == 0).sum())
    if empty:
        warned.append(f"{empty} of {len(objects)} are empty")
    clear = (particle - level)[scale > 0] / scale[scale > 0]
    white, dark = int((clear > _CLEAR).sum()), int((clear < -_CLEAR).sum())
    grey = (
        f"grey scale: background {np.median(level):.3g} with a standard deviation of {np.median(spread):.3g}"
    )
    return [_contrast(white, dark, len(clear)), f"{grey}, particles {np.median(particle):.3g}"]


def _contrast(white: int, dark: int, count: int) -> str:
    field = "'References have inverted contrast?'"
    of_dark = f"for micrographs with dark particles set {field}"
    if white > dark and white >= count / 2:
        return f"contrast: {white} of {count} are white on black; {of_dark} Yes"
    if dark > white and dark >= count / 2:
        return f"contrast: {dark} of {count} are black on white; {of_dark} No"
    return f"contrast: not clear ({white} white and {dark} black of {count}); look at them and set {field}"


def _regions(shape: tuple[int, ...]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Masks of the expected particle, and of the corners beyond the inscribed circle or sphere."""
    axes = np.meshgrid(*(np.arange(n) - n // 2 for n in shape), indexing="ij")
    radius = np.sqrt(sum(axis.astype(np.float64) ** 2 for axis in axes)) / shape[0]
    return radius < _INNER, radius > 0.5
