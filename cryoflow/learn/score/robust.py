"""Robust location and scatter, and the t distribution around them."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from scipy.special import gammaincinv
from torch import Tensor

STEPS = 50
RIDGE = 1e-3
TRUSTED = 0.975


class Shape(NamedTuple):
    """Centre ``(p,)`` and covariance ``(p, p)`` of a cloud of points."""

    centre: Tensor
    covariance: Tensor

    def distances(self, points: Tensor) -> Tensor:
        """Squared Mahalanobis distance of each of ``(n, p)`` points, ``(n,)``."""
        factor = torch.linalg.cholesky(self.covariance)
        rest = torch.linalg.solve_triangular(factor, (points - self.centre).T, upper=False)
        squared: Tensor = (rest**2).sum(0)
        return squared


def robust_shape(points: Tensor, share: float) -> Shape:
    """Reweighted minimum covariance determinant of ``(n, p)`` points, n several times p, for other points.

    C-steps on the given share of the points from the start at median and MAD, which is deterministic, then
    one step on all points within the 97.5 % quantile (Rousseeuw and Van Driessen 1999, Technometrics
    41:212; Hubert et al. 2012, J Comput Graph Stat 21:618).
    """
    kept = max(2, int(share * len(points)))
    shape = _start(points)
    for _ in range(STEPS):
        nearest = shape.distances(points).argsort(stable=True)[:kept].sort().values
        new = _shape(points[nearest])
        done = torch.equal(new.covariance, shape.covariance)
        shape = new
        if done:
            break
    shape = _scaled(shape, points, 0.5)
    inside = points[shape.distances(points) < _chi_square(TRUSTED, points.shape[1])]
    return _for_others(_scaled(_shape(inside), inside, 0.5 * TRUSTED), len(inside))


def _for_others(shape: Shape, count: int) -> Shape:
    """A wider shape, for points that it was not estimated from.

    With mean and covariance of ``count`` normal points, the mean squared distance of another point is ``p
    (n + 1) (n - 1) / (n (n - p - 2))`` (Hotelling 1931, Ann Math Stat 2:360), of their own
    ``p (n - 1) / n``.
    """
    factor = (count + 1) / max(1, count - len(shape.centre) - 2)
    return Shape(shape.centre, shape.covariance * factor)


def _start(points: Tensor) -> Shape:
    centre = points.median(0).values
    mad = 1.4826 * (points - centre).abs().median(0).values
    return Shape(centre, torch.diag((mad + RIDGE) ** 2))


def _shape(points: Tensor) -> Shape:
    ridge = RIDGE * torch.eye(points.shape[1], dtype=points.dtype)
    return Shape(points.mean(0), torch.cov(points.T) + ridge)


def _scaled(shape: Shape, points: Tensor, quantile: float) -> Shape:
    """Scale the median distance to that of normal points, of which the given quantile lies within it."""
    usual = _chi_square(quantile, points.shape[1])
    return Shape(shape.centre, shape.covariance * (shape.distances(points).median() / usual))


def _chi_square(quantile: float, freedom: int) -> float:
    return 2 * float(gammaincinv(freedom / 2, quantile))


def log_t(points: Tensor, shape: Shape, freedom: float) -> Tensor:
    """Log density of the multivariate t distribution at ``(n, p)`` points, ``(n,)``."""
    p = points.shape[1]
    constant = math.lgamma((freedom + p) / 2) - math.lgamma(freedom / 2) - p / 2 * math.log(freedom * math.pi)
    determinant = torch.linalg.cholesky(shape.covariance).diagonal().log().sum()
    tail = torch.log1p(shape.distances(points) / freedom)
    density: Tensor = constant - determinant - (freedom + p) / 2 * tail
    return density
