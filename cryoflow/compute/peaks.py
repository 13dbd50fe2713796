"""Picks from figure-of-merit maps: local maxima that pass the gates, one a particle.

The same function whether the maps were worked out just now or read from disk.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cryoflow.compute.correlate import FomMaps, Sampling
from cryoflow.compute.prune import keep_best_of_clusters, keep_lonely


class Thresholds(NamedTuple):
    """What a peak must pass to become a pick; distances in micrograph pixels."""

    least_fom: float
    least_distance: int
    """Between two picks."""
    cluster_radius: int
    """Peaks closer than this are seen as one cluster: the mask radius."""
    margin: int
    """Kept clear along all sides: half the reference box."""
    largest_sd: float | None = None
    least_mean: float | None = None


class Picks(NamedTuple):
    """Picks of one micrograph, best first; each ``(n,)``."""

    y: Tensor
    """Float64, micrograph pixels; the first pixel's centre is 0."""
    x: Tensor
    reference: Tensor
    """Int64, from 0."""
    psi_deg: Tensor
    fom: Tensor
    sd: Tensor
    """Local sd and mean of the background."""
    mean: Tensor


class _Peaks(NamedTuple):
    """Candidates, best first; row and column in samples."""

    reference: Tensor
    row: Tensor
    column: Tensor


def find_peaks(maps: FomMaps, thresholds: Thresholds) -> Picks:
    """Pick particles.

    Parameters
    ----------
    maps : FomMaps
    thresholds : Thresholds

    Returns
    -------
    Picks
        Sorted by figure of merit; equals by y, x and reference.
    """
    fom = maps.fom
    candidates = _best_first(fom, _is_peak(maps, thresholds).nonzero())
    points = torch.stack((candidates.row, candidates.column), 1).cpu().numpy()
    reference = candidates.reference.cpu().numpy()
    spacing = maps.sampling.spacing
    radius, distance = thresholds.cluster_radius / spacing, thresholds.least_distance / spacing
    rank = np.arange(len(points))
    kept = np.zeros(len(points), bool)
    for number in range(len(fom)):
        own = np.flatnonzero(reference == number)
        kept[own] = keep_best_of_clusters(points[own], rank[own], radius, distance)
    chosen = np.flatnonzero(kept)
    chosen = chosen[keep_best_of_clusters(points[chosen], chosen, radius, distance)]
    chosen = chosen[keep_lonely(points[chosen], distance)]
    return _picks(maps, _Peaks(*(part[torch.from_numpy(chosen).to(part.device)] for part in candidates)))


def _is_peak(maps: FomMaps, thresholds: Thresholds) -> Tensor:
    """Where a map has a local maximum that passes all gates, ``(refs, h, w)``."""
    fom, least = maps.fom, thresholds.least_fom
    h, w = fom.shape[-2:]
    passes = (fom >= least) & clear_of_sides(maps.sampling, h, w, thresholds.margin).to(fom.device)
    if thresholds.largest_sd is not None:
        passes &= maps.sd <= thresholds.largest_sd
    if thresholds.least_mean is not None:
        passes &= maps.mean >= thresholds.least_mean
    edge = torch.nn.functional.pad(fom, (1, 1, 1, 1), value=-torch.inf)
    for neighbour in (edge[:, :-2, 1:-1], edge[:, 2:, 1:-1], edge[:, 1:-1, :-2], edge[:, 1:-1, 2:]):
        passes &= neighbour <= fom
        if maps.sampling.spacing == 1:  # at full size a peak is wider than a pixel
            passes &= neighbour >= least
    return passes


def clear_of_sides(sampling: Sampling, rows: int, columns: int, margin: int) -> Tensor:
    """Samples at least ``margin`` pixels from all sides of the micrograph, bool ``(rows, columns)``.

    Counted as RELION does: length and margin are cut to whole samples and laid around the centre sample; at
    least one sample is left free.
    """
    sides = zip(
        (sampling.height, sampling.width), (sampling.top, sampling.left), (rows, columns), strict=True
    )
    clear = []
    for length, first, count in sides:
        scaled, skipped = (math.floor(n / sampling.spacing + 1e-9) for n in (length, margin))
        centre = round((length // 2 - first) / sampling.spacing)
        number = torch.arange(count) - centre + scaled // 2
        skipped = max(1, skipped)
        clear.append((number >= skipped) & (number <= scaled - 1 - skipped))
    return clear[0][:, None] & clear[1][None, :]


def _best_first(fom: Tensor, where: Tensor) -> _Peaks:
    """Sort places ``(n, 3)`` by descending figure of merit, then y, x and reference."""
    reference, row, column = where.unbind(1)
    order = np.lexsort(
        [part.cpu().numpy() for part in (reference, column, row, -fom[reference, row, column])]
    )
    chosen = torch.from_numpy(order).to(where.device)
    return _Peaks(reference[chosen], row[chosen], column[chosen])


def _picks(maps: FomMaps, peaks: _Peaks) -> Picks:
    reference, row, column = peaks
    sampling = maps.sampling
    return Picks(
        sampling.top + row.double() * sampling.spacing,
        sampling.left + column.double() * sampling.spacing,
        reference,
        maps.psi_deg[reference, row, column],
        maps.fom[reference, row, column],
        maps.sd[row, column],
        maps.mean[row, column],
    )
