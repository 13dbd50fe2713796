"""Posterior probabilities of rows from the weights of their samples."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Posterior(NamedTuple):
    """Posterior of B particles over R rows. float64, on the device."""

    log_evidence: Tensor
    """``(B,)``: logarithm of the sum over samples, without the terms that depend on the image only."""
    total: Tensor
    """``(B,)``: sum of the weights, that of the best sample being 1."""
    factor: Tensor
    """``(B, R)``: probability of a sample whose weight is that of the best one of its row; zero for rows that
    are left out."""
    best: Tensor
    """int64 ``(B,)``: row of the best sample."""


def normalise_posterior(log_max: Tensor, weight_sum: Tensor, keep: float) -> Posterior:
    """Normalise weights over rows; drop the lightest rows, which together carry at most ``1 - keep``.

    Parameters
    ----------
    log_max : Tensor
        ``(B, R)``: log weight of the best sample of each row, -inf for rows that were not compared.
    weight_sum : Tensor
        ``(B, R)``: sum of the weights of the samples of a row, relative to its best sample.
    keep : float
        Share of the posterior to keep, at most 1.
    """
    highest, best = log_max.max(1)
    factor = (log_max - highest[:, None]).double().exp()
    weight = factor * weight_sum
    total = weight.sum(1)
    share = weight / total[:, None]
    lightest = share.sort(1)
    dropped = lightest.values.cumsum(1) <= 1 - keep
    heavy = torch.ones_like(dropped).scatter(1, lightest.indices, ~dropped)
    return Posterior(highest.double() + total.log(), total, factor / total[:, None] * heavy, best)
