"""Particles, noise and outliers as three robust densities of which only the shares are fitted."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.learn.score.robust import Shape, log_t, robust_shape

SURE_OBJECT, NOISE = 0.7, 0.3
"""Objects above this chance show what particles look like, those below that what noise does."""
PARTICLE_SHARE, NOISE_SHARE = 0.5, 0.9
"""Of those that show it, how many do at least: the others may be contaminants, or objects after all."""
FREEDOM = (8.0, 30.0, 3.0)
BROAD = 10.0
"""Covariance of outliers over that of particles."""
LEAST = 5
"""Points a dimension that a shape is learnt from at least."""
STEPS = 300


class Mixture(NamedTuple):
    """Shapes of particle, noise and outlier, and their shares ``(3,)``."""

    shapes: tuple[Shape, Shape, Shape]
    shares: Tensor

    def log_parts(self, points: Tensor) -> Tensor:
        """Log of share times density of each kind at ``(n, p)`` points, ``(n, 3)``."""
        return _log_densities(self.shapes, points) + self.shares.log()

    def responsibilities(self, points: Tensor) -> Tensor:
        """Chance of each kind, ``(n, 3)``."""
        return self.log_parts(points).softmax(1)


def fit_mixture(points: Tensor, object_chance: Tensor) -> Mixture:
    """Learn the shapes from those that are surely objects and surely noise, and the shares by EM.

    Then once more from those that are more likely particles, or noise, than all else: unlike the sure ones
    they are not cut off at a chance, and hardly any contaminant is left among them. More rounds, or shapes
    within the EM, would let the shapes run after the contaminants.

    Parameters
    ----------
    points : Tensor
        Standardised features ``(n, p)``.
    object_chance : Tensor
        ``(n,)``, 1 less the local false-discovery rate.
    """
    least = min(LEAST * points.shape[1], len(points))
    sure, noise = _above(object_chance, SURE_OBJECT, least), _above(1 - object_chance, 1 - NOISE, least)
    particle, none, _ = _fitted(points, sure, noise).responsibilities(points).unbind(1)
    return _fitted(points, _above(particle, 0.5, least), _above(none, 0.5, least))


def _above(chance: Tensor, limit: float, least: int) -> Tensor:
    """Those of at least this chance, or of the largest if they are too few."""
    return chance >= min(limit, float(chance.topk(least).values[-1]))


def _fitted(points: Tensor, particles: Tensor, noise: Tensor) -> Mixture:
    particle = robust_shape(points[particles], PARTICLE_SHARE)
    outlier = Shape(particle.centre, BROAD * particle.covariance)
    shapes = (particle, robust_shape(points[noise], NOISE_SHARE), outlier)
    # with fixed densities the likelihood is concave in the shares: one maximum
    return Mixture(shapes, _shares(_log_densities(shapes, points)))


def _log_densities(shapes: tuple[Shape, Shape, Shape], points: Tensor) -> Tensor:
    pairs = zip(shapes, FREEDOM, strict=True)
    return torch.stack([log_t(points, shape, freedom) for shape, freedom in pairs], 1)


def _shares(log_densities: Tensor) -> Tensor:
    shares = torch.tensor([0.3, 0.6, 0.1], dtype=log_densities.dtype)
    for _ in range(STEPS):
        chances = (log_densities + shares.log()).softmax(1)
        shares = (chances.sum(0) + 1) / (len(chances) + 3)
    return shares
