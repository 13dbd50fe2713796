"""A sheet of the first, the best and the worst particles of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from cryoflow.view.pictures import BACKGROUND, INK, sheet

Floats = npt.NDArray[np.float32]

ACROSS, EACH = 10, 20
"""Particles per line, and in each of the three parts."""
HEADING = 20
"""Height of a part's heading, pixels."""
SCORES = {"rlnParticleSelectZScore": True, "rlnAutopickFigureOfMerit": False}
"""Columns that rank particles, the most reliable first; True where low values are good."""


_WORDS = {"rlnParticleSelectZScore": "Z-score", "rlnAutopickFigureOfMerit": "figure of merit"}


class Part(NamedTuple):
    """Rows of one part of the sheet, under their heading."""

    heading: str
    rows: pd.DataFrame
    column: str


def parts(rows: pd.DataFrame) -> list[Part]:
    """The first, best and worst rows; none where no column ranks them, or there are no images."""
    column = next((name for name in SCORES if name in rows.columns), None)
    if column is None or rows.empty or "rlnImageName" not in rows.columns:
        return []
    best_first = rows.sort_values(column, ascending=SCORES[column], kind="stable")
    return [
        Part("first", rows[:EACH], column),
        Part(f"best by {_WORDS[column]}", best_first[:EACH], column),
        Part(f"worst by {_WORDS[column]}", best_first[::-1][:EACH], column),
    ]


def contact_sheet(found: Sequence[Part], images: Sequence[Floats], side: int) -> Image.Image:
    """Draw the parts below each other, the score under each particle.

    Parameters
    ----------
    found : sequence of Part
        At least one.
    images : sequence of ndarray
        ``(n, h, w)`` for each part.
    side : int
        Height and width of each particle in the picture, pixels.
    """
    sheets = []
    for part, particles in zip(found, images, strict=True):
        captions = [f"{value:.2f}" for value in part.rows[part.column]]
        sheets.append(sheet(particles, ACROSS, side, captions))
    height = sum(one.height + HEADING for one in sheets)
    whole = Image.new("RGB", (max(one.width for one in sheets), height), BACKGROUND)
    draw, font, top = ImageDraw.Draw(whole), ImageFont.load_default(13), 0
    for part, one in zip(found, sheets, strict=True):
        draw.text((4, top + HEADING // 2), part.heading, fill=INK, font=font, anchor="lm")
        whole.paste(one, (0, top + HEADING))
        top += HEADING + one.height
    return whole
