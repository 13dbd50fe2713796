"""Micrographs in picture files (TIFF, PNG, JPEG), read with Pillow."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from cryoflow.errors import FileError

TIFF, LOSSY = frozenset({".tif", ".tiff"}), frozenset({".png", ".jpg", ".jpeg"})
PICTURES = TIFF | LOSSY
MOVIE = "run motion correction first (RELION's, MotionCor3 or cryoSPARC's) and import its sums"
_GREY = ("1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16S")


class Picture(NamedTuple):
    """Pixels ``(h, w)``, rows as MRC files have them, and the MRC mode that keeps them exactly."""

    pixels: npt.NDArray[np.generic]
    mode: int


def read_picture(path: Path) -> Picture:
    """Read a micrograph.

    The rows of TIFF files are reversed, as RELION, IMOD and MotionCor do: the first row of a TIFF is the top
    of the picture, that of an MRC file its bottom. PNG and JPEG, which those do not read, keep their order.

    Raises
    ------
    FileError
        When the file is a movie, is in colour, or cannot be read.
    """
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # micrographs are larger than photographs
    try:
        with Image.open(path) as picture:
            frames = getattr(picture, "n_frames", 1)
            if frames > 1:
                raise FileError(path, f"is a movie of {frames} frames; {MOVIE}")
            if picture.mode not in _GREY:
                raise FileError(path, f"is in colour ({picture.mode}); export it in grey values")
            pixels = np.array(picture)
    except UnidentifiedImageError:
        raise FileError(path, "is not a readable image; export it as MRC or TIFF") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise FileError(path, f"cannot be read: {error}") from None
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    values, mode = _in_mode(pixels)
    return Picture(values[::-1] if path.suffix.lower() in TIFF else values, mode)


def _in_mode(pixels: npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.generic], int]:
    """Pixels in a type of MRC files, without loss where there is one."""
    if pixels.dtype == np.bool_ or pixels.dtype == np.uint8:
        return pixels.astype(np.int16), 1
    if pixels.dtype in (np.int16, np.uint16):
        return pixels, 1 if pixels.dtype == np.int16 else 6
    return pixels.astype(np.float32), 2
