"""The random numbers that RELION 3.0.8 draws while it picks, so that picks can be compared without them.

Before each micrograph it seeds the C library's ``rand`` with 1 plus the micrograph's place in the list. Pairs
of numbers become pairs of normal deviates (Marsaglia's polar method); a second one that was not used stays
for the next micrograph. The first are laid around micrographs that are not square, row after row; then each
reference takes one a pixel of its disc, for the expected ratio.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_ACCEPTED = 0.75
"""Less than the share of pairs inside the unit circle, pi / 4."""


class Deviates:
    """Normal deviates in RELION's order."""

    def __init__(self) -> None:
        self._left: npt.NDArray[np.float64] = np.zeros(0)
        self._used = 0

    def of_micrograph(self, place: int, count: int) -> npt.NDArray[np.float64]:
        """The ``count`` deviates of the micrograph at a place in the list, from 0."""
        spare = self._left[self._used :][: self._used % 2]
        drawn = polar(uniform(1 + place, 2 * int(count / 2 / _ACCEPTED + 100)))
        self._left, self._used = drawn, count - len(spare)
        return np.concatenate((spare, drawn[: self._used]))


def polar(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Normal deviates from numbers between 0 and 1, taken in pairs."""
    pairs = 2 * numbers.reshape(-1, 2) - 1
    square = (pairs**2).sum(1)
    inside = (square > 0) & (square < 1)
    pairs, square = pairs[inside], square[inside]
    return np.asarray(pairs * np.sqrt(-2 * np.log(square) / square)[:, None]).ravel()


def uniform(seed: int, count: int) -> npt.NDArray[np.float64]:
    """What ``rand() / RAND_MAX`` of the GNU C library gives after ``srand(seed)``.

    Its default generator is additive, ``r[i] = r[i - 3] + r[i - 31]`` modulo 2^32 without the lowest bit. The
    first 31 come from a multiplicative one, and the 310 after them are dropped.
    """
    state = [seed]
    for _ in range(30):
        state.append(16807 * state[-1] % 2147483647)
    state += state[:3]
    for _ in range(310 + count):
        state.append((state[-3] + state[-31]) & 0xFFFFFFFF)
    return (np.array(state[344:]) >> 1) / 2147483647
