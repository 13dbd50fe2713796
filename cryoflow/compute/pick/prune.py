"""From overlapping peaks to one pick per particle.

Peaks are first grouped into clusters, chains of peaks closer than a radius. In a cluster the best is kept,
all within the minimum distance of it go, and so on with the rest (Scheres 2015, J Struct Biol 189:114).
Peaks lie on whole samples and are many: near the floor every tenth sample is one, so that their pairs are
too many to list.
"""

import math
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label, maximum_filter, minimum_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

Points = npt.NDArray[np.int64]
"""``(2, n)`` whole sample numbers from 0, y and x."""
Flags = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]

_FIRST_BLOCK = 256
"""Peaks checked one by one before those they blanked are removed from the rest."""


class Pruning:
    """Peaks to be pruned with one cluster radius and any distance; shared work is done once."""

    def __init__(self, points: Points, radius: float) -> None:
        """Take ``(2, n)`` points, the best peak first; those closer than ``radius`` are of one cluster."""
        self._points, self._radius = points, radius

    def keep(self, distance: float) -> Flags:
        """Which peaks survive, bool ``(n,)``.

        Of two peaks of a cluster closer than ``distance``, in samples, the worse goes, unless that has gone
        already.
        """
        kept = np.zeros(self._points.shape[1], bool)
        if distance <= self._radius or len(kept) < 2:  # then closer ones are of one cluster anyway
            kept[_greedy(self._points, distance)] = True
            return kept
        for group in self._groups:
            kept[group.numbers[_greedy(group.apart(math.ceil(distance)), distance)]] = True
        return kept

    @cached_property
    def _groups(self) -> tuple["_Group", ...]:
        """The largest cluster, and all others."""
        cluster = _clusters(self._points, self._radius)
        largest = cluster == np.bincount(cluster).argmax()
        numbers = largest.nonzero()[0], (~largest).nonzero()[0]
        return tuple(_group(some, self._points.take(some, 1), cluster[some]) for some in numbers)


class _Group(NamedTuple):
    """Some clusters, to be stacked vertically."""

    numbers: Indices
    """Indices of their peaks, ``(m,)``."""
    y: Indices
    """Row of each peak in its cluster, from 0, as x."""
    x: Indices
    cluster: Indices
    """Cluster of each peak."""
    height: Indices
    """Height of each cluster, 0 for one of another group."""

    def apart(self, gap: int) -> Points:
        """The peaks with ``gap`` empty rows below each cluster."""
        height = np.where(self.height, self.height + gap, 0)
        return np.stack((self.y + (np.cumsum(height) - height)[self.cluster], self.x))


def _group(numbers: Indices, points: Points, cluster: Indices) -> _Group:
    first = np.full((2, cluster.max(initial=0) + 1), np.iinfo(np.int64).max)
    height = np.zeros(first.shape[1], np.int64)
    for axis in range(2):
        np.minimum.at(first[axis], cluster, points[axis])
    y, x = points - first[:, cluster]
    np.maximum.at(height, cluster, y + 1)
    return _Group(numbers, y, x, cluster, height)


def drop_mutually_close(points: Points, distance: float) -> Flags:
    """Which peaks have no other at or within ``distance`` samples; of a close pair, both are dropped."""
    near = _pairs(points, distance)
    lonely = np.ones(points.shape[1], bool)
    lonely[near[_squared_distance(points, near) <= distance**2].ravel()] = False
    return lonely


def _greedy(points: Points, distance: float) -> list[int]:
    """Take peaks from the best to the worst, each blanking all others around it.

    Samples are laid out row after row with a gap, wide enough for a blanked disc, at the end of each. What
    one peak blanks is then one stretch, and blanking it a single operation.
    """
    reach = math.ceil(distance)
    y, x = points
    height, width = int(y.max(initial=0)) + 1 + reach, max(int(x.max(initial=0)), reach) + 1 + reach
    before = reach * (width + 1)
    disc = _disc(reach, distance, width)
    blanked = bytearray(before + height * width + reach)  # bytes are fast to read one by one
    samples = np.frombuffer(blanked, np.uint8)
    place = y * width + x + before
    kept: list[int] = []
    start, stop = 0, _FIRST_BLOCK
    while start < len(place):  # ever larger blocks, each without what was blanked before
        left = start + np.flatnonzero(samples[place[start:stop]] == 0)
        for number, at in zip(left.tolist(), place[left].tolist(), strict=True):
            if not blanked[at]:
                kept.append(number)
                around = samples[at - before : at - before + len(disc)]
                np.bitwise_or(around, disc, around)
        start, stop = stop, 2 * stop
    return kept


def _disc(reach: int, distance: float, width: int) -> npt.NDArray[np.uint8]:
    """1 where less than ``distance`` from the middle, in rows of ``width`` samples; to the last 1."""
    offset = np.arange(-reach, reach + 1)
    rows = np.zeros((len(offset), width), np.uint8)
    rows[:, : len(offset)] = offset[:, None] ** 2 + offset**2 < distance**2
    return rows.ravel()[: len(offset) * (width + 1) - width]


def _clusters(points: Points, radius: float) -> Indices:
    """Number the clusters of points from 0, ``(n,)``.

    Peaks in adjacent cells, small enough that they are closer than the radius, are linked without a check;
    pairs are listed only where parts linked in this way come near each other.
    """
    side = _largest_cell(radius)
    if side == 0:
        return np.unique(points, axis=1, return_inverse=True)[1].ravel()
    y, x = points // side
    parts = np.zeros((y.max() + 1, x.max() + 1), np.int32)
    parts[y, x] = 1
    parts, count = label(parts)
    own, size = parts[y, x] - 1, 2 * math.ceil((radius - 1) / side) + 1
    low = minimum_filter(np.where(parts, parts, count), size, mode="nearest")
    near = np.flatnonzero((maximum_filter(parts, size, mode="nearest") > low)[y, x])
    pairs = _pairs(points.take(near, 1), radius)
    first, second = own[near[pairs[_squared_distance(points.take(near, 1), pairs) < radius**2]]].T
    graph = coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1][own])


def _largest_cell(radius: float) -> int:
    """Side of the largest cells for which points of two adjacent ones are closer than a radius."""
    side = 0
    while (2 * side + 1) ** 2 + side**2 < radius**2:
        side += 1
    return side


def _pairs(points: Points, reach: float) -> npt.NDArray[np.intp]:
    """All pairs at most ``reach`` apart, and a little beyond, ``(m, 2)``."""
    if points.shape[1] < 2:
        return np.zeros((0, 2), np.intp)
    return cKDTree(points.T).query_pairs(reach * (1 + 1e-9), output_type="ndarray")


def _squared_distance(points: Points, pairs: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
    """In whole numbers, so that equality with a limit is exact."""
    y, x = points
    first, second = pairs.T
    return np.asarray((y[first] - y[second]) ** 2 + (x[first] - x[second]) ** 2)
