"""Log-odds of being an intact particle, each learnt from other particles."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.learn.score.logistic import Logistic, fit_logistic
from cryoflow.learn.score.mixture import NOISE, SURE_OBJECT, Mixture, fit_mixture

FOLDS = 4
LEAST = 60
"""Minimum number of sure objects, and of noise, to learn from: five for each feature of the densities."""
TEACHES_ONLY = -1
"""Fold of rows that teach but are not scored."""
CLIP = 12.0
SURE = 15.0
"""Log-odds are clipped to this."""


class Scale(NamedTuple):
    """Median and MAD of each feature, ``(p,)``."""

    median: Tensor
    mad: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Scale:
        """Measure the scale of ``(n, p)`` features."""
        median = features.median(0).values
        return cls(median, 1.4826 * (features - median).abs().median(0).values)

    def __call__(self, features: Tensor) -> Tensor:
        """Features on this scale, cut off at 12."""
        return ((features - self.median) / (self.mad + 1e-6)).clamp(-CLIP, CLIP)


class LogOddsModel(NamedTuple):
    """Model learnt from the particles of some micrographs."""

    mixture: Mixture | None
    """None where labels mark the outliers."""
    logistic: Logistic

    def log_odds(self, features: Tensor, mixed: int) -> Tensor:
        """Against noise by the logistic function, against outliers by the densities; the lower of the two."""
        score = self.logistic.log_odds(features).clamp(-SURE, SURE)
        if self.mixture is None:
            return score
        parts = self.mixture.log_parts(features[:, :mixed])
        gate = (parts[:, 0] - parts[:, 2]).clamp(-SURE, SURE)
        return -torch.logaddexp(-score, -gate)


def learn(features: Tensor, object_chance: Tensor, mixed: int) -> LogOddsModel:
    """Fit the mixture on the first ``mixed`` features, and a logistic function of all to its
    probabilities.
    """
    mixture = fit_mixture(features[:, :mixed], object_chance)
    particle = mixture.responsibilities(features[:, :mixed], object_chance)[:, 0]
    return LogOddsModel(mixture, fit_logistic(features, particle))


def learn_labels(features: Tensor, label: Tensor) -> LogOddsModel:
    """Fit the logistic function to labels, 0 or 1."""
    return LogOddsModel(None, fit_logistic(features, label))


def teaches(object_chance: Tensor) -> bool:
    """Whether there are enough sure objects to learn from."""
    return int((object_chance > SURE_OBJECT).sum()) >= LEAST


def lacks_noise(object_chance: Tensor) -> bool:
    """Whether there is too little noise to learn from; the most doubtful objects are then used instead."""
    return int((object_chance < NOISE).sum()) < LEAST


def particle_log_odds(features: Tensor, object_chance: Tensor, fold: Tensor, mixed: int) -> Tensor:
    """Cross-fitted log-odds: each fold is scored by a model of the others.

    Parameters
    ----------
    features : Tensor
        As measured, float64 ``(n, p)``.
    object_chance : Tensor
        ``(n,)``: probability of being anything but noise, estimated from the first feature alone.
    fold : Tensor
        Int64 ``(n,)``; folds alike, or their models give scores of different scales. Those of
        `TEACHES_ONLY` teach all the others and get nan.
    mixed : int
        How many of the first features the densities are of.
    """
    points = Scale.of(features)(features)
    log_odds = torch.full((len(points),), torch.nan, dtype=points.dtype)
    for k in sorted(set(fold.tolist()) - {TEACHES_ONLY}):
        held = fold == k
        model = learn(points[~held], object_chance[~held], mixed)
        log_odds[held] = model.log_odds(points[held], mixed)
    return log_odds
