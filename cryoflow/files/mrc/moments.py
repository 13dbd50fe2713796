"""Range, mean and standard deviation of numbers that do not fit into memory together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BLOCK = 1 << 16
"""Numbers processed at a time: as many as fit into the cache."""


class Moments:
    """Range, mean and standard deviation of all arrays added; works block by block in double
    precision.

    Attributes
    ----------
    least, largest : float
        Not a number where one of the numbers is not.
    """

    def __init__(self) -> None:
        self.least, self.largest = np.inf, -np.inf
        self._count, self._level, self._total, self._squares = 0, 0.0, 0.0, 0.0

    def add(self, data: npt.NDArray[np.generic]) -> None:
        """Add an array of any shape, not empty."""
        flat = data.reshape(-1)
        with np.errstate(invalid="ignore"):  # infinities have no mean
            if not self._count:  # near the mean, so that the squares stay small
                self._level = float(flat[:BLOCK].mean(dtype=np.float64))
            self._count += flat.size
            for first in range(0, flat.size, BLOCK):
                self._take(flat[first : first + BLOCK])

    def _take(self, block: npt.NDArray[np.generic]) -> None:
        self.least = float(np.minimum(self.least, block.min()))
        self.largest = float(np.maximum(self.largest, block.max()))
        apart = block.astype(np.float64)
        apart -= self._level
        self._total += float(apart.sum())
        self._squares += float(np.dot(apart, apart))

    @property
    def mean(self) -> float:
        """Mean."""
        return self._level + self._total / self._count

    @property
    def sd(self) -> float:
        """Standard deviation of these numbers as the population."""
        about = self._total / self._count
        return float(np.sqrt(np.maximum(self._squares / self._count - about**2, 0)))
