"""A stored particle score: trained once, applied to features of any data set."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.learn.score.logistic import newton
from cryoflow.learn.score.particle_score import (
    TEACHES_ONLY,
    LogOddsModel,
    Scale,
    learn,
    learn_labels,
    particle_log_odds,
)


class Calibration(NamedTuple):
    """A line through log-odds (Platt 1999, Adv Large Margin Classif 61), and an unexplained probability."""

    slope: float = 1.0
    offset: float = 0.0
    unseen: float = 0.0
    """Probability that a position without visible signal lies on a particle nevertheless."""

    def __call__(self, log_odds: Tensor) -> Tensor:
        """Calibrated log-odds: probabilities p become p + (1 - p) unseen."""
        odds = torch.logaddexp(self.slope * log_odds + self.offset, log_odds.new_tensor(self.unseen).log())
        return odds - math.log1p(-self.unseen)


class ScoreModel(NamedTuple):
    """Everything that scoring needs besides the features."""

    scale: Scale
    model: LogOddsModel
    calibration: Calibration
    mixed: int = 0
    """Number of leading features that the densities use."""

    def log_odds(self, features: Tensor) -> Tensor:
        """Log-odds of being an intact particle for features as measured, ``(n, p)``."""
        return self.calibration(self.model.log_odds(self.scale(features), self.mixed))


class Scored(NamedTuple):
    """Cross-fitted scores, and the model of all particles that could teach."""

    log_odds: Tensor
    model: ScoreModel


def self_taught(
    features: Tensor, object_chance: Tensor, fold: Tensor, mixed: int, unseen: float = 0.0
) -> Scored:
    """Learn without labels, see `particle_log_odds`; rows that only teach are not scored.

    ``unseen`` is the probability that a position lies on an unseen object; these are taken to be particles as
    often as those that were seen.
    """
    scale = Scale.of(features)
    scored = fold != TEACHES_ONLY
    log_odds = particle_log_odds(features, object_chance, fold, mixed)[scored]
    particles = float(torch.sigmoid(log_odds).sum() / object_chance[scored].sum())
    calibration = Calibration(unseen=unseen * min(1.0, particles))
    model = learn(scale(features), object_chance, mixed)
    return Scored(calibration(log_odds), ScoreModel(scale, model, calibration, mixed))


def taught_by_labels(features: Tensor, label: Tensor, fold: Tensor) -> Scored:
    """Learn from labels: each fold is scored by a model of the others, then all are calibrated together.

    Parameters
    ----------
    features : Tensor
        As measured, float64 ``(n, p)``.
    label : Tensor
        ``(n,)``: 1 for good, 0 for bad, nan for those only to be scored.
    fold : Tensor
        Int64 ``(n,)``; each has enough of both kinds outside it.
    """
    scale = Scale.of(features)
    points, known = scale(features), ~label.isnan()
    log_odds = torch.zeros(len(points), dtype=points.dtype)
    for k in sorted(set(fold.tolist())):
        taught = known & (fold != k)
        log_odds[fold == k] = learn_labels(points[taught], label[taught]).log_odds(points[fold == k], 0)
    calibration = calibrate(log_odds[known], label[known])
    whole = learn_labels(points[known], label[known])
    return Scored(calibration(log_odds), ScoreModel(scale, whole, calibration))


def calibrate(log_odds: Tensor, label: Tensor) -> Calibration:
    """The line that makes log-odds fit labels best."""
    design = torch.stack((log_odds, torch.ones_like(log_odds)), 1)
    slope, offset = newton(design, label).tolist()
    return Calibration(slope, offset)


def importances(model: ScoreModel, features: Tensor, seed: int) -> Tensor:
    """Effect of each feature on the score, ``(p,)``.

    Mean absolute change of the log-odds when the feature's values are permuted among the particles
    (permutation importance: Breiman 2001, Mach Learn 45:5, without labels).
    """
    random = torch.Generator().manual_seed(seed)
    before, changes = model.log_odds(features), []
    for place in range(features.shape[1]):
        permuted = features.clone()
        permuted[:, place] = features[torch.randperm(len(features), generator=random), place]
        changes.append((model.log_odds(permuted) - before).abs().mean())
    return torch.stack(changes)
