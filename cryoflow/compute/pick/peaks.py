"""Picks from candidates: local maxima that pass the gates, one per particle.

The same function serves candidates just found in maps and those read from disk.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cryoflow.compute.pick.candidates import Candidates, find_candidates
from cryoflow.compute.pick.figure_of_merit import FomMaps
from cryoflow.compute.pick.prune import Indices, Points, Pruning, drop_mutually_close


class Thresholds(NamedTuple):
    """Conditions for a peak to become a pick; distances in micrograph pixels."""

    least_fom: float
    least_distance: int
    """Between two picks."""
    cluster_radius: int
    """Peaks closer than this belong to one cluster: the mask radius."""
    margin: int
    """Kept clear along all sides: half the reference box."""
    largest_sd: float | None = None
    least_mean: float | None = None
    between_samples: bool = False
    """Positions at the tops of parabolas, instead of at the samples."""
    keep_best: bool = False
    """Of picks closer than the distance, keep the best; otherwise, as in RELION, some drop each other."""

    @classmethod
    def of(
        cls,
        least_fom: float,
        least_distance_a: float,
        pixel_size_a: float,
        mask_radius: int,
        box: int,
        largest_sd: float | None,
        least_mean: float | None,
        between_samples: bool,
        figure_of_merit: str,
    ) -> "Thresholds":
        """Thresholds for picks with references of ``box`` pixels; ``figure_of_merit`` as in the spec."""
        distance = math.floor(least_distance_a / pixel_size_a + 0.5)
        gates = (mask_radius, box // 2, largest_sd, least_mean, between_samples)
        return cls(least_fom, distance, *gates, keep_best=figure_of_merit != "relion")


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
        Sorted by figure of merit; ties are ordered by y, x and reference.
    """
    return pick_gated(gate(candidates, thresholds), thresholds)


class Gated(NamedTuple):
    """Candidates that passed the gates: shared by picking with any minimum distance."""

    candidates: Candidates
    """All candidates, whether or not they passed."""
    gates: Thresholds
    passed: Indices
    """Indices of those that passed, ``(n,)``."""
    points: Points
    """Their positions in samples, ``(2, n)``."""
    apart: Pruning
    """The same with references laid out apart, prepared for pruning."""


def gate(candidates: Candidates, thresholds: Thresholds, among: Tensor | None = None) -> Gated:
    """Apply the gates to the candidates in ``among`` (bool, one per candidate); distances are not used."""
    passes = _passes(candidates, thresholds)
    passed = (passes if among is None else passes & among).cpu().numpy().nonzero()[0]
    points = torch.stack((candidates.row, candidates.column)).cpu().numpy().take(passed, 1)
    reference = candidates.reference.cpu().numpy()[passed]
    radius = thresholds.cluster_radius / candidates.sampling.spacing
    step = points[0].max(initial=0) + math.ceil(radius) + 1  # below each other, beyond the radius
    apart = np.stack((points[0] + reference * step, points[1]))
    return Gated(candidates, thresholds, passed, points, Pruning(apart, radius))


def pick_gated(gated: Gated, thresholds: Thresholds) -> Picks:
    """Pick particles from candidates that have passed the gates of these thresholds."""
    spacing = gated.candidates.sampling.spacing
    radius, distance = thresholds.cluster_radius / spacing, thresholds.least_distance / spacing
    if thresholds.keep_best:
        chosen = Pruning(gated.points, math.inf).keep(distance).nonzero()[0]
    else:
        chosen = gated.apart.keep(distance).nonzero()[0]
        chosen = chosen[Pruning(gated.points.take(chosen, 1), radius).keep(distance)]
        chosen = chosen[drop_mutually_close(gated.points.take(chosen, 1), distance)]
    picked = torch.from_numpy(gated.passed[chosen]).to(gated.candidates.row.device)
    return _picks(gated.candidates.where(picked), thresholds.between_samples)


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
