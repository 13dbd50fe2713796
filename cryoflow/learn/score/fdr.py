"""False-discovery rates from target-decoy competition (Elias and Gygi 2007, Nat Methods 4:207).

It is valid where targets and decoys are equally likely to win a false discovery, with equal scores: then as
many targets as decoys above a threshold are false. False targets that do not arise by chance, such as
contaminants, are not counted.
"""

from __future__ import annotations

import torch
from torch import Tensor

BINS = 80
WIDTH = 0.3
"""Smoothing of the histograms, in sds of the decoys."""
LEAST_WINNING = 0.2
"""Minimum winning probability of a peak that represents hidden ones: none counts for more than four."""
LIKELY_FALSE = 0.5
"""Targets of at least this local false-discovery rate show how noise is picked."""


def q_values(targets: Tensor, decoys: Tensor, share: float = 1.0) -> Tensor:
    """Smallest false-discovery rate at which each target is accepted, ``(n,)``, at most 1.

    The rate at a threshold t is ``(1 + share * decoys of at least t) / (targets of at least t)``: the 1 keeps
    its expectation at or above that of the share of false ones (He et al. 2015, arXiv 1501.00537).

    Parameters
    ----------
    targets, decoys : Tensor
        Scores of the two, ``(n,)`` and ``(m,)``.
    share : float
        Share of the false targets that are among those given, see `picked_share`.
    """
    up, order = targets.double().sort()
    accepted = len(up) - torch.searchsorted(up, up)
    false = len(decoys) - torch.searchsorted(decoys.double().sort().values, up)
    rate = (1 + share * false.double()) / accepted
    q = torch.empty_like(up)
    q[order] = rate.cummin(0).values.clamp_max(1)
    return q


def picked_share(targets: Tensor, picked: Tensor, decoys: Tensor) -> float:
    """Share of false targets that were picked, from those just below where true ones take over.

    A picker leaves out more of the noise than of the particles, so that the decoys represent more false
    targets than were picked. It picks more of the noise the higher it scores: of the targets that
    are more likely false than not, only the upper third counts. Particles among them make it larger, which
    makes q-values cautious.

    Parameters
    ----------
    targets, picked, decoys : Tensor
        Scores of all targets, of the picked ones of them, and of the decoys.
    """
    false = targets[local_fdr(targets, decoys, targets) >= LIKELY_FALSE]
    if not len(false):
        return 1.0
    upper = false.sort().values[2 * len(false) // 3 :]
    among, all_ = (int(((values >= upper[0]) & (values <= upper[-1])).sum()) for values in (picked, targets))
    return (1 + among) / (1 + all_)


def hidden_objects(targets: Tensor, decoys: Tensor, rivals: Tensor) -> float:
    """Number of objects without a peak of their own because something higher is nearby.

    An object wins if neither the decoys nor the noise of targets near it are higher, which happens with the
    squared share w of rivals below its score. Those that lose add as many peaks to targets as to decoys,
    so the difference of the two counts winners, and weighted by 1 / w all objects.

    Parameters
    ----------
    targets, decoys : Tensor
        Scores of the peaks won, ``(n,)`` and ``(m,)``.
    rivals : Tensor
        Best decoys near random places.
    """
    if not len(rivals):
        return 0.0
    up = rivals.sort().values
    wins = [(torch.searchsorted(up, won.to(up)).double() / len(up)) ** 2 for won in (targets, decoys)]
    hidden = [(1 / won[won >= LEAST_WINNING] - 1).sum() for won in wins]
    return max(0.0, float(hidden[0] - hidden[1]))


def local_fdr(targets: Tensor, decoys: Tensor, at: Tensor) -> Tensor:
    """Probability that a target of this score is false: smoothed histogram of decoys over that of targets.

    1 below the decoys' median, at most 1, and falling with the score (local false-discovery rate: Efron
    2004, J Am Stat Assoc 99:96). Without decoys or targets it is 1.

    Parameters
    ----------
    targets, decoys : Tensor
        Scores of the two, ``(n,)`` and ``(m,)``.
    at : Tensor
        Where the rate is wanted.
    """
    if not len(targets) or not len(decoys):
        return torch.ones_like(at, dtype=torch.float64)
    both = torch.cat((targets, decoys)).double()
    low, high = float(both.min()), float(both.max()) + 1e-9
    step = (high - low) / BINS
    spread = float(decoys.double().std(correction=0)) if len(decoys) > 1 else 0.0
    bins = max(1.0, WIDTH * spread / step)
    false, all_ = (_smoothed(values, low, high, bins) for values in (decoys, targets))
    ratio = ((false + 1e-3) / (all_ + 1e-3)).clamp(0, 1)
    centres = low + step * (torch.arange(BINS, dtype=torch.float64) + 0.5)
    ratio[centres <= decoys.double().median()] = 1
    return _interpolated(at.double(), low + step / 2, step, ratio.cummin(0).values)


def _smoothed(values: Tensor, low: float, high: float, sigma: float) -> Tensor:
    counts = torch.histc(values.double(), BINS, low, high)
    places = torch.arange(BINS, dtype=torch.float64)
    images = torch.cat((places, -1 - places, 2 * BINS - 1 - places))  # mirrored at both ends
    weights = torch.exp(-0.5 * ((places[:, None] - images) / sigma) ** 2)
    return (weights @ counts.repeat(3)) / weights.sum(1)


def _interpolated(at: Tensor, first: float, step: float, values: Tensor) -> Tensor:
    position = ((at - first) / step).clamp(0, len(values) - 1)
    low = position.floor().long().clamp_max(len(values) - 2)
    return torch.lerp(values[low], values[low + 1], position - low)
