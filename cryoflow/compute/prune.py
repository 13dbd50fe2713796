"""From overlapping peaks to one pick a particle.

Peaks are first grouped into clusters, chains of peaks closer than a radius. In a cluster the best is kept,
all within the minimum distance of it go, and so on with the rest (Scheres 2015, J Struct Biol 189:114).
"""

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

Points = npt.NDArray[np.int64]
"""``(n, 2)`` whole sample numbers, y and x."""
Flags = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]


def keep_best_of_clusters(points: Points, rank: Indices, radius: float, distance: float) -> Flags:
    """Which peaks survive pruning.

    Parameters
    ----------
    points : ndarray
        ``(n, 2)``.
    rank : ndarray
        ``(n,)``, 0 for the best peak; no two alike.
    radius : float
        Peaks closer than this, in samples, belong to one cluster.
    distance : float
        Of two peaks of a cluster closer than this, in samples, the worse goes, unless that has gone already.

    Returns
    -------
    ndarray
        Bool ``(n,)``.
    """
    near = _pairs(points, max(radius, distance))
    apart = _squared_distance(points, near)
    cluster = _components(len(points), near[apart < radius**2])
    conflict = near[apart < distance**2]
    return _greedy(rank, conflict[cluster[conflict[:, 0]] == cluster[conflict[:, 1]]])


def keep_lonely(points: Points, distance: float) -> Flags:
    """Which peaks have no other at or within ``distance`` samples; of a pair that has, both go."""
    near = _pairs(points, distance)
    lonely = np.ones(len(points), bool)
    lonely[near[_squared_distance(points, near) <= distance**2].ravel()] = False
    return lonely


def _pairs(points: Points, reach: float) -> Indices:
    """All pairs at most ``reach`` apart, and a little beyond, ``(m, 2)``."""
    if len(points) < 2:
        return np.zeros((0, 2), np.intp)
    return cKDTree(points).query_pairs(reach * (1 + 1e-9), output_type="ndarray")


def _squared_distance(points: Points, pairs: Indices) -> npt.NDArray[np.int64]:
    """In whole numbers, so that equality with a limit is exact."""
    y, x = points.T
    first, second = pairs.T
    return np.asarray((y[first] - y[second]) ** 2 + (x[first] - x[second]) ** 2)


def _components(count: int, edges: Indices) -> npt.NDArray[np.int32]:
    graph = coo_array((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1])


def _greedy(rank: Indices, conflict: Indices) -> Flags:
    """Take peaks from the best down, leaving out what conflicts with one taken.

    In rounds: a peak that is better than all undecided ones in conflict with it would be reached before them.
    """
    swap = rank[conflict[:, 0]] > rank[conflict[:, 1]]
    better = np.where(swap, conflict[:, 1], conflict[:, 0])
    worse = np.where(swap, conflict[:, 0], conflict[:, 1])
    kept, undecided = np.zeros(len(rank), bool), np.ones(len(rank), bool)
    while undecided.any():
        winners = undecided.copy()
        winners[worse] = False
        kept |= winners
        gone = winners.copy()
        gone[worse[winners[better]]] = True
        undecided &= ~gone
        open_pairs = undecided[better] & undecided[worse]
        better, worse = better[open_pairs], worse[open_pairs]
    return kept
