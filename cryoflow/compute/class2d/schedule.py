"""Number of classes in use while it grows.

All K classes at once begin as averages of random particles, which hardly differ: most of them merge into few.
Two classes part along the largest difference in the data, their halves along the next.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

FIRST = 2
"""Classes in use in the first iteration."""
GROWING, FILLING = 0.4, 0.8
"""Fractions of the iterations after which all classes are in use, and after which none is reseeded, so that
the last ones can settle."""
LEAST = 0.2
"""A class with less than this fraction of an even share is reseeded."""


class Fill(NamedTuple):
    """Classes to reseed after an iteration."""

    wanted: int
    """Classes in use afterwards."""
    least: float
    """Classes with a smaller share are reseeded."""


def classes_in_use(classes: int, iteration: int, iterations: int) -> int:
    """Classes to use after an iteration (0: from the start on), of ``classes``, in a run of ``iterations``.

    Grows by the same factor in every iteration. Runs too short to grow in use all from the start on.
    """
    growing = int(GROWING * iterations)
    if iteration >= growing or classes <= FIRST:
        return classes
    grown: float = FIRST * (classes / FIRST) ** (iteration / growing)
    return ceil(grown - 1e-9)  # rounding errors may exceed whole numbers


def to_fill(classes: int, iteration: int, iterations: int) -> Fill | None:
    """Classes to reseed after an iteration; None when classes are left unchanged."""
    if iteration > FILLING * iterations:
        return None
    return Fill(classes_in_use(classes, iteration, iterations), LEAST / classes)
