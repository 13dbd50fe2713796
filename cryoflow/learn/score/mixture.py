"""Particles, noise and outliers as three robust densities of all features but the first.

Probabilities of being noise come from the competition of the first feature with decoys, not from the
densities. That keeps noise of several kinds, which one density fits badly, from passing for particles.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.learn.score.robust import Shape, log_t, robust_shape

SURE_OBJECT, NOISE = 0.7, 0.3
"""Objects above this probability teach the density of particles, those below the second that of noise."""
PARTICLE_SHARE, NOISE_SHARES = 0.5, (0.5, 0.9)
"""Minimum fraction of these that are particles, or noise; the others may be contaminants."""
DOUBT = 0.02
"""Probability left to the other kind where the competition is certain."""
FREEDOM = (15.0, 8.0, 3.0)
"""Degrees of freedom of the t distributions: noise has longer tails next to carbon and contaminants."""
BROAD = 10.0
"""Covariance of outliers over that of particles."""
LEAST = 5
"""Fewest points for each dimension from which a shape is learnt."""
STEPS = 300


class Mixture(NamedTuple):
    """Shapes of particle, noise and outlier, and their shares ``(3,)``."""

    shapes: tuple[Shape, Shape, Shape]
    shares: Tensor

    def log_parts(self, points: Tensor) -> Tensor:
        """Log of share times density of each kind at ``(n, p)`` points, ``(n, 3)``."""
        return _log_densities(self.shapes, points) + self.shares.log()

    def responsibilities(self, points: Tensor, object_chance: Tensor) -> Tensor:
        """Probability of each kind, ``(n, 3)``; the first feature alone gives that of being an object."""
        first = _log_densities(_first(self.shapes), points[:, :1]) + self.shares.log()
        return _chances(self.log_parts(points), first, object_chance)


def fit_mixture(points: Tensor, object_chance: Tensor) -> Mixture:
    """Learn the shapes from sure objects and sure noise, and then the shares.

    Then once more from those that are most likely particles, or noise, among which hardly any contaminant is
    left. With more rounds, or shapes updated along with the shares, the shapes would drift towards the
    contaminants.

    Parameters
    ----------
    points : Tensor
        Standardised features ``(n, p)``.
    object_chance : Tensor
        ``(n,)``, 1 less the local false-discovery rate at the first feature.
    """
    least = min(LEAST * points.shape[1], len(points))
    sure, noise = _above(object_chance, SURE_OBJECT, least), _above(1 - object_chance, 1 - NOISE, least)
    first = _fitted(points, object_chance, sure, noise, NOISE_SHARES[0])
    particle, none, _ = first.responsibilities(points, object_chance).unbind(1)
    likely, none = _above(particle, 0.5, least), _above(none, 0.5, least)
    return _fitted(points, object_chance, likely, none, NOISE_SHARES[1])


def _above(chance: Tensor, limit: float, least: int) -> Tensor:
    """Those of at least this probability, or the most probable ones if these are too few."""
    return chance >= min(limit, float(chance.topk(least).values[-1]))


def _fitted(
    points: Tensor, object_chance: Tensor, particles: Tensor, noise: Tensor, noise_share: float
) -> Mixture:
    particle = robust_shape(points[particles], PARTICLE_SHARE)
    outlier = Shape(particle.centre, BROAD * particle.covariance)
    shapes = (particle, robust_shape(points[noise], noise_share), outlier)
    whole, first = _log_densities(shapes, points), _log_densities(_first(shapes), points[:, :1])
    return Mixture(shapes, _shares(whole, first, object_chance))


def _log_densities(shapes: tuple[Shape, Shape, Shape], points: Tensor) -> Tensor:
    pairs = zip(shapes, FREEDOM, strict=True)
    return torch.stack([log_t(points, shape, freedom) for shape, freedom in pairs], 1)


def _first(shapes: tuple[Shape, Shape, Shape]) -> tuple[Shape, Shape, Shape]:
    """Marginal of the first feature: a t distribution with its part of centre and covariance."""
    particle, noise, outlier = (Shape(one.centre[:1], one.covariance[:1, :1]) for one in shapes)
    return particle, noise, outlier


def _chances(whole: Tensor, first: Tensor, object_chance: Tensor) -> Tensor:
    """Probability of each kind from logs of share times density ``(n, 3)``, of all and the first feature."""
    known = object_chance.clamp(DOUBT, 1 - DOUBT)
    noise = whole[:, 1] - first[:, 1] + (1 - known).log()
    either = torch.logaddexp(first[:, 0], first[:, 2]) - known.log()
    return torch.stack((whole[:, 0] - either, noise, whole[:, 2] - either), 1).softmax(1)


def _shares(whole: Tensor, first: Tensor, object_chance: Tensor) -> Tensor:
    """The shares that equal the mean probabilities they give."""
    shares = torch.tensor([0.3, 0.6, 0.1], dtype=whole.dtype)
    for _ in range(STEPS):
        chances = _chances(whole + shares.log(), first + shares.log(), object_chance)
        shares = (chances.sum(0) + 1) / (len(chances) + 3)
    return shares
