"""What the weights of all samples say of each particle."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Posterior(NamedTuple):
    """Of B particles over R rows. float64, on the device."""

    log_evidence: Tensor
    """``(B,)``: logarithm of the sum over samples, without what depends on the image only."""
    total: Tensor
    """``(B,)``: sum of the weights, that of the best sample being 1."""
    factor: Tensor
    """``(B, R)``: probability of a sample whose weight is that of the best one of its row; zero for rows that
    are left out."""
    best: Tensor
    """int64 ``(B,)``: row of the best sample."""


def normalise_posterior(top: Tensor, mass: Tensor, fraction: float) -> Posterior:
    """Add up the weights of rows, and leave out the lightest that together carry less than ``1 - fraction``.

    Parameters
    ----------
    top : Tensor
        ``(B, R)``: log weight of the best sample of each row, -inf for rows that were not looked at.
    mass : Tensor
        ``(B, R)``: sum of the weights of a row, that of its best sample being 1.
    fraction : float
        Share of the weight to keep.
    """
    highest, best = top.max(1)
    factor = (top - highest[:, None]).double().exp()
    weight = factor * mass
    total = weight.sum(1)
    share = weight / total[:, None]
    lightest = share.sort(1)
    dropped = lightest.values.cumsum(1) <= 1 - fraction
    heavy = torch.ones_like(dropped).scatter(1, lightest.indices, ~dropped)
    return Posterior(highest.double() + total.log(), total, factor / total[:, None] * heavy, best)
