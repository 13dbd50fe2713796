"""Picks of another program on one micrograph, to check their positions by eye."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cryoflow.files.mrc import read_header, read_image
from cryoflow.view.pictures import SMOOTHING_A, Circles, micrograph_picture, save

_SHARE = 1 / 40
"""Radius of circles without a box size, of the shorter side."""
_SMOOTHING_PX = 12.0


def draw_overlay(rows: pd.DataFrame, micrograph: Path, box_px: float | None, target: Path) -> Path:
    """Draw picks as green circles on a smoothed micrograph.

    Parameters
    ----------
    rows : DataFrame
        ``rlnCoordinateX`` and ``rlnCoordinateY`` in pixels.
    micrograph : Path
    box_px : float, optional
        Diameter of the circles in pixels.
    target : Path
        The PNG to write.
    """
    image, pixel = read_image(micrograph), read_header(micrograph).known_pixel_size
    radius = box_px / 2 if box_px else min(image.shape) * _SHARE
    circles = Circles(rows[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(float), radius)
    resolution = _SMOOTHING_PX if pixel is None else SMOOTHING_A / pixel
    return save(micrograph_picture(image, circles, resolution=resolution), target)
