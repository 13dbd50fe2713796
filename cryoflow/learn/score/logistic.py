"""Ridge logistic regression on features and their squares."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

RIDGE = 3.0
STEPS = 40
CLIP = 4.0


class Logistic(NamedTuple):
    """A fitted function: how terms are made from features, and the weights."""

    feature_mean: Tensor
    feature_sd: Tensor
    term_mean: Tensor
    term_sd: Tensor
    weights: Tensor
    """``(2 p + 1,)``: features, squares, offset."""

    def log_odds(self, features: Tensor) -> Tensor:
        """Log-odds for ``(n, p)`` features, ``(n,)``."""
        terms = (_squared(_clipped(features, self)) - self.term_mean) / self.term_sd
        return terms @ self.weights[:-1] + self.weights[-1]


def fit_logistic(features: Tensor, target: Tensor) -> Logistic:
    """Fit by Newton steps; all weights but the offset are penalised.

    Parameters
    ----------
    features : Tensor
        ``(n, p)``.
    target : Tensor
        ``(n,)`` between 0 and 1; may be probabilities.
    """
    one = torch.ones(1, dtype=features.dtype)
    start = Logistic(features.mean(0), features.std(0, correction=0) + 1e-6, one, one, one)
    terms = _squared(_clipped(features, start))
    fitted = start._replace(term_mean=terms.mean(0), term_sd=terms.std(0, correction=0) + 1e-6)
    terms = (terms - fitted.term_mean) / fitted.term_sd
    design = torch.cat((terms, torch.ones_like(terms[:, :1])), 1)
    return fitted._replace(weights=newton(design, target))


def _clipped(features: Tensor, scale: Logistic) -> Tensor:
    return ((features - scale.feature_mean) / scale.feature_sd).clamp(-CLIP, CLIP)


def _squared(values: Tensor) -> Tensor:
    return torch.cat((values, values**2), 1)


def newton(design: Tensor, target: Tensor) -> Tensor:
    """Weights of a ridge logistic function of terms ``(n, q)``, the last of which is 1 and not penalised."""
    weights = design.new_zeros(design.shape[1])
    penalty = torch.full_like(weights, RIDGE)
    penalty[-1] = 1e-6
    for _ in range(STEPS):
        chance = torch.sigmoid((design @ weights).clamp(-30, 30))
        curvature = design.T @ (design * (chance * (1 - chance))[:, None]) + torch.diag(penalty)
        step = torch.linalg.solve(curvature, design.T @ (target - chance) - penalty * weights)
        largest = float(step.abs().max())
        weights = weights + step * min(1.0, 5 / max(largest, 1e-12))
        if largest < 1e-6:
            break
    return weights
