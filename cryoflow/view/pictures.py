"""Micrographs with picks, sheets of classes and particles."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from cryoflow.files.atomic import replacing
from cryoflow.view.grey import bin_image, smooth, stretch

Floats = npt.NDArray[np.float32]
Positions = npt.NDArray[np.float64]
Colour = tuple[int, int, int]

BLUE, RED, GREEN = (40, 110, 255), (255, 45, 35), (60, 220, 80)
BACKGROUND, INK, TITLE, AXES = (24, 24, 24), (215, 215, 215), (255, 255, 255), (90, 96, 112)
SMOOTHING_A = 20.0
"""Wavelength at which smoothing halves the contrast of micrographs, A."""
FRAME, CAPTION = 3, 15
"""Width of a frame and height of a caption in a sheet, pixels."""


class Circles(NamedTuple):
    """Picks to draw."""

    xy: Positions
    """``(n, 2)`` in micrograph pixels."""
    radius: float
    """Micrograph pixels."""
    values: Positions | None = None
    """``(n,)`` figures of merit; without them circles are green."""
    blue: float = 1.0
    red: float = 0.0
    """Values drawn fully blue and fully red."""


def value_colours(values: Positions, blue: float, red: float) -> list[Colour]:
    """Colours from red to blue, linear between the two values and constant beyond them."""
    share = np.clip((np.asarray(values, float) - red) / (blue - red), 0, 1)[:, None]
    colours = np.rint(np.array(RED) * (1 - share) + np.array(BLUE) * share).astype(int)
    return [(int(r), int(g), int(b)) for r, g, b in colours]


def micrograph_picture(
    image: Floats, circles: Circles | None = None, longest: int = 1024, resolution: float = 12.0
) -> Image.Image:
    """Draw a micrograph, binned, smoothed and stretched, with picks as circles.

    Parameters
    ----------
    image : ndarray
        ``(h, w)``; row 0 is at the top.
    circles : Circles, optional
        Picks, the best drawn last.
    longest : int
        The longer side of the picture is at most this, by whole-number binning.
    resolution : float
        Wavelength at which smoothing halves the contrast, micrograph pixels.

    Returns
    -------
    Image
        RGB; the micrograph's point (x, y) lies at ((x + 0.5) / factor - 0.5, ...).
    """
    factor = max(1, -(-max(image.shape) // longest))
    grey = stretch(smooth(bin_image(image, factor), resolution / factor))
    picture = Image.fromarray(grey).convert("RGB")
    if circles is not None:
        draw_circles(ImageDraw.Draw(picture), circles, factor)
    return picture


def draw_circles(draw: ImageDraw.ImageDraw, circles: Circles, factor: int, width: int = 2) -> None:
    """Draw picks on a micrograph that is binned by a factor, the best last."""
    radius = max(2, round(circles.radius / factor))
    values = circles.values
    order = range(len(circles.xy)) if values is None else np.argsort(values, kind="stable")
    colours = [GREEN] * len(circles.xy)
    if values is not None:
        colours = value_colours(values, circles.blue, circles.red)
    for index in order:
        x, y = np.rint((circles.xy[index] + 0.5) / factor - 0.5)  # Pillow would truncate the fraction
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colours[index], width=width)


def sheet(
    images: Floats,
    columns: int,
    side: int,
    captions: Sequence[str] = (),
    framed: Collection[int] = (),
) -> Image.Image:
    """Arrange images in rows, each with its own contrast.

    Parameters
    ----------
    images : ndarray
        ``(n, h, w)``.
    columns : int
        Images per row.
    side : int
        Height and width of each in the picture, pixels.
    captions : sequence of str
        Text below each image, with room for the longest; or none at all.
    framed : collection of int
        Indices of images with a red frame.

    Returns
    -------
    Image
        RGB; the image in row r and column c begins at ``sheet_corner(r, c, side, lines)``.
    """
    rows = max(1, -(-len(images) // columns))
    lines = max((caption.count("\n") + 1 for caption in captions), default=0)
    height, width = _cell(side, lines)
    picture = Image.new("RGB", (columns * width, rows * height), BACKGROUND)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(11)
    for index, image in enumerate(images):
        x, y = sheet_corner(*divmod(index, columns), side, lines)
        tile = Image.fromarray(stretch(image)).resize((side, side), Image.Resampling.BICUBIC)
        if index in framed:
            draw.rectangle((x - FRAME, y - FRAME, x + side + FRAME - 1, y + side + FRAME - 1), fill=RED)
        picture.paste(tile, (x, y))
        if captions:
            place = (x + side / 2, y + side + FRAME)
            draw.text(place, captions[index], fill=INK, font=font, anchor="ma", align="center", spacing=2)
    return picture


def save(picture: Image.Image, path: Path) -> Path:
    """Write a PNG atomically and return its path."""
    with replacing(path) as temporary:
        # noise, as micrographs have it, gets no smaller by more than this, only slower
        picture.save(temporary, format="PNG", compress_level=2)
    return path


def open_picture(path: Path) -> Image.Image:
    """Read a picture from a file, RGB."""
    with Image.open(path) as picture:
        return picture.convert("RGB")


def side_by_side(pictures: Sequence[Image.Image], height: int, gap: int = 8) -> Image.Image:
    """Put pictures side by side, each scaled to the same height."""
    scaled = [
        picture.resize((round(picture.width * height / picture.height), height), Image.Resampling.LANCZOS)
        for picture in pictures
    ]
    width = sum(picture.width for picture in scaled) + gap * (len(scaled) - 1)
    both = Image.new("RGB", (width, height), BACKGROUND)
    x = 0
    for picture in scaled:
        both.paste(picture, (x, 0))
        x += picture.width + gap
    return both


def sheet_corner(row: int, column: int, side: int, lines: int) -> tuple[int, int]:
    """x and y of the upper left pixel of an image in a sheet whose captions have this number of lines."""
    height, width = _cell(side, lines)
    return column * width + FRAME, row * height + FRAME


def _cell(side: int, lines: int) -> tuple[int, int]:
    return side + 2 * FRAME + CAPTION * lines, side + 2 * FRAME
