"""The valley of a histogram of scores, between mostly noise and mostly particles."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

POINTS = 512
"""Number of scores at which the density is evaluated."""
SIGNIFICANT = 4.0
"""Standard errors by which both sides must rise above the valley: of random samples with one mode,
normal to uniform, fewer than 1 in 300 reach 3.6."""
CLEAR = 0.1
"""Minimum `Valley.depth`: shallower valleys give no useful threshold."""


class Valley(NamedTuple):
    """The valley of a histogram with two modes."""

    threshold: float
    """The score at which the density is lowest."""
    depth: float
    """1 - density in the valley / density at the lower of the two modes: 0 is flat, 1 empty."""


def find_valley(scores: Values) -> Valley | None:
    """Find the deepest valley between two modes of a density estimate.

    The density is a Gaussian kernel estimate with Silverman's bandwidth (Silverman 1986, Density Estimation
    for Statistics and Data Analysis, eq. 3.31), mirrored at the lowest score: a threshold has cut the scores
    there, so that the lower mode may be at the cut.

    Parameters
    ----------
    scores : ndarray
        ``(n,)`` in any order.

    Returns
    -------
    Valley or None
        None if there is no clear valley: one mode, or a dip below `CLEAR` or within chance.
    """
    scores = np.sort(scores[np.isfinite(scores)])
    width = _bandwidth(scores)
    if len(scores) < 20 or width <= 0:
        return None
    at = np.linspace(scores[0], scores[-1], POINTS)
    density = _density(scores, at, width)
    place, side = _deepest(density)
    if side <= 0:
        return None
    depth = 1 - density[place] / side
    # standard error of a kernel estimate f: sqrt(f / (2 sqrt(pi) n width))
    effective = 2 * math.sqrt(math.pi) * len(scores) * width
    errors = (side - density[place]) / math.sqrt((side + density[place]) / effective)
    if depth < CLEAR or errors < SIGNIFICANT:
        return None
    return Valley(float(at[place]), float(depth))


def _bandwidth(scores: Values) -> float:
    """0.9 min(sd, interquartile range / 1.34) n^(-1/5); 0 where all scores are equal."""
    if len(scores) < 2:
        return 0.0
    low, high = np.quantile(scores, (0.25, 0.75))
    spread = min(float(scores.std()), float(high - low) / 1.34)
    return float(0.9 * spread * len(scores) ** -0.2)


def _density(scores: Values, at: Values, width: float) -> Values:
    """Kernel density at ascending places; scores are binned to the places first, ``(POINTS,)``."""
    step = at[1] - at[0]
    counts = np.bincount(np.rint((scores - at[0]) / step).astype(int), minlength=len(at)).astype(float)
    reach = min(len(at) - 1, math.ceil(5 * width / step))
    offset = np.arange(-reach, reach + 1) * step / width
    kernel = np.exp(-(offset**2) / 2) / (math.sqrt(2 * math.pi) * width * len(scores))
    mirrored = np.concatenate((counts[1 : reach + 1][::-1], counts, np.zeros(reach)))
    return np.convolve(mirrored, kernel, "valid")


def _deepest(density: Values) -> tuple[int, float]:
    """Index of the deepest point below the lower of the maxima to its left and right, and that maximum."""
    left = np.maximum.accumulate(density)
    right = np.maximum.accumulate(density[::-1])[::-1]
    side = np.minimum(left, right)
    place = int(np.argmax(side - density))
    return place, float(side[place])
