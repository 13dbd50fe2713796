"""Picks from candidates: local maxima that pass the gates, one a particle.

The same function whether the candidates were found in maps just now or read from disk.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cryoflow.compute.candidates import Candidates, find_candidates
from cryoflow.compute.correlate import FomMaps
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
    between_samples: bool = False
    """Positions at the tops of parabolas, instead of at the samples."""


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


def find_peaks(maps: FomMaps, thresholds: Thresholds) -> Picks:
    """Pick particles from maps: `pick_candidates` of all candidates down to the threshold."""
    return pick_candidates(find_candidates(maps, thresholds.margin, thresholds.least_fom), thresholds)


def pick_candidates(candidates: Candidates, thresholds: Thresholds) -> Picks:
    """Pick particles.

    Parameters
    ----------
    candidates : Candidates
        Down to a floor that is not above the threshold, with the margin of the thresholds.
    thresholds : Thresholds

    Returns
    -------
    Picks
        Sorted by figure of merit; equals by y, x and reference.
    """
    passed = _passes(candidates, thresholds).cpu().numpy().nonzero()[0]
    points = torch.stack((candidates.row, candidates.column)).cpu().numpy().take(passed, 1)
    reference = candidates.reference.cpu().numpy()[passed]
    spacing = candidates.sampling.spacing
    radius, distance = thresholds.cluster_radius / spacing, thresholds.least_distance / spacing
    # first those of each reference by themselves: below each other, beyond the radius (and no further, so
    # that clusters remembered from other distances are found again)
    step = points[0].max(initial=0) + math.ceil(radius) + 1
    apart = np.stack((points[0] + reference * step, points[1]))
    chosen = keep_best_of_clusters(apart, radius, distance).nonzero()[0]
    chosen = chosen[keep_best_of_clusters(points.take(chosen, 1), radius, distance)]
    chosen = chosen[keep_lonely(points.take(chosen, 1), distance)]
    picked = candidates.where(torch.from_numpy(passed[chosen]).to(candidates.row.device))
    return _picks(picked, thresholds.between_samples)


def _passes(candidates: Candidates, thresholds: Thresholds) -> Tensor:
    passes = candidates.fom >= thresholds.least_fom
    if candidates.sampling.spacing == 1:  # at full size a peak is wider than a pixel
        passes &= candidates.lowest_neighbour >= thresholds.least_fom
    if thresholds.largest_sd is not None:
        passes &= candidates.sd <= thresholds.largest_sd
    if thresholds.least_mean is not None:
        passes &= candidates.mean >= thresholds.least_mean
    return passes


def _picks(candidates: Candidates, between_samples: bool) -> Picks:
    sampling = candidates.sampling
    row, column = candidates.row.double(), candidates.column.double()
    if between_samples:
        row, column = row + candidates.row_offset, column + candidates.column_offset
    return Picks(
        sampling.top + row * sampling.spacing,
        sampling.left + column * sampling.spacing,
        candidates.reference,
        candidates.psi_deg,
        candidates.fom,
        candidates.sd,
        candidates.mean,
    )
