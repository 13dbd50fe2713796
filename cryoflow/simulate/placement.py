"""Placement of objects: never closer than a distance, off the carbon, away from the border."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cryoflow.errors import CryoflowError

Array = npt.NDArray[np.float64]

TRIES = 4000


class CarbonEdge(NamedTuple):
    """A straight edge of the support film: carbon where ``x cos(angle) + y sin(angle) > offset`` (pixels)."""

    angle_rad: float
    offset: float

    def depth(self, y: Array, x: Array) -> Array:
        """Depth of points inside the carbon, pixels; negative in the hole."""
        return np.asarray(x * np.cos(self.angle_rad) + y * np.sin(self.angle_rad) - self.offset)


def random_edge(size: tuple[int, int], rng: np.random.Generator) -> CarbonEdge:
    """An edge that leaves the middle free and covers up to about a fifth of a ``(height, width)`` image."""
    angle = rng.uniform(0, 2 * np.pi)
    height, width = size
    reach = (abs(width * np.cos(angle)) + abs(height * np.sin(angle))) / 2
    middle = (width * np.cos(angle) + height * np.sin(angle)) / 2
    return CarbonEdge(angle, middle + reach * rng.uniform(0.5, 0.8))


class Ground(NamedTuple):
    """Area of a micrograph for objects; pixels."""

    size: tuple[int, int]
    """Height and width."""
    margin: float
    """Kept free along the border."""
    distance: float
    """Minimum distance between two objects."""
    edge: CarbonEdge | None = None
    """Edge of the carbon, from which objects keep the same distance."""


def place(count: int, ground: Ground, taken: Array, rng: np.random.Generator) -> Array:
    """Place points at random: ``(count, 2)``, y and x in pixels, to three decimals.

    Parameters
    ----------
    count : int
        How many.
    ground : Ground
        Where.
    taken : ndarray
        ``(n, 2)`` points (y, x) placed already.
    rng : Generator
        Source of randomness.

    Raises
    ------
    CryoflowError
        When they do not fit.
    """
    (height, width), margin, distance, edge = ground
    points = np.empty((len(taken) + count, 2))
    points[: len(taken)] = taken
    low, high = margin, np.array((height, width)) - 1 - margin
    for k in range(len(taken), len(points)):
        for point in np.round(rng.uniform(low, high, (TRIES, 2)), 3):
            gaps = points[:k] - point
            clear = edge is None or edge.depth(point[0], point[1]) < -distance
            if clear and (gaps * gaps).sum(1).min(initial=np.inf) >= distance**2:
                points[k] = point
                break
        else:
            raise CryoflowError(
                f"simulate: only {k} objects fit on {height} x {width} pixels at a distance of "
                f"{distance:.0f} pixels; use fewer, a larger micrograph or a smaller distance"
            )
    return points[len(taken) :]
