"""Scores learnt from labels: cross-fitted, calibrated, and good for other data."""

import numpy as np
import pytest
import torch

from cryoflow.learn.score.particle_score import Scale, learn_labels
from cryoflow.learn.score.score_model import (
    Calibration,
    Scored,
    calibrate,
    importances,
    self_taught,
    taught_by_labels,
)


def particles(n: int = 3000, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Good and bad ones in six features, of which the last two tell nothing; units are odd."""
    rng = np.random.default_rng(seed)
    good = rng.random(n) < 0.3
    points = rng.normal(size=(n, 6))
    points[good, :2] += (2.0, 1.0)
    points[:, 2] += 0.5 * good
    return torch.from_numpy(points * 7 + 100), torch.from_numpy(good.astype(float))


def score(seed: int = 0) -> tuple[Scored, torch.Tensor, torch.Tensor]:
    features, label = particles(seed=seed)
    return taught_by_labels(features, label, torch.arange(len(label)) % 4), features, label


def calibration_error(log_odds: torch.Tensor, label: torch.Tensor) -> float:
    p = torch.sigmoid(log_odds)
    place = (p * 10).long().clamp_max(9)
    bins = [(place == i) for i in range(10) if (place == i).any()]
    return sum(float(own.double().mean() * (p[own].mean() - label[own].mean()).abs()) for own in bins)


def test_each_fold_is_scored_by_a_model_of_the_others() -> None:
    features, label = particles()
    fold = torch.arange(len(label)) % 4
    scored = taught_by_labels(features, label, fold)
    turned = torch.where(fold == 2, 1 - label, label)  # own labels do not count, but for the common line
    other = taught_by_labels(features, turned, fold)
    own = fold == 2
    raw = []
    for one in (scored, other):
        line = one.model.calibration
        raw.append((one.log_odds[own] - line.offset) / line.slope)
    torch.testing.assert_close(raw[0], raw[1])
    points = Scale.of(features)(features)
    direct = learn_labels(points[~own], label[~own]).log_odds(points[own], 0)
    torch.testing.assert_close(raw[0], direct)


def test_probabilities_are_calibrated_here_and_elsewhere() -> None:
    scored, _, label = score()
    assert calibration_error(scored.log_odds, label) < 0.03
    assert float(torch.sigmoid(scored.log_odds).mean()) == pytest.approx(float(label.mean()), abs=1e-5)
    order = scored.log_odds.argsort()
    assert label[order[-500:]].mean() > 0.85 and label[order[:500]].mean() < 0.03
    others, truth = particles(seed=1)
    assert calibration_error(scored.model.log_odds(others), truth) < 0.03
    few = scored.model.log_odds(others[:7])  # one by one as all together: the scale goes with the model
    torch.testing.assert_close(few, scored.model.log_odds(others)[:7])


def test_particles_without_label_are_scored_and_teach_nothing() -> None:
    features, label = particles()
    unknown = torch.arange(len(label)) % 3 == 0
    fold = torch.arange(len(label)) % 4
    part = taught_by_labels(features, label.masked_fill(unknown, torch.nan), fold)
    turned = taught_by_labels(features, torch.where(unknown, torch.nan, label), fold)
    assert torch.equal(part.log_odds, turned.log_odds) and not part.log_odds.isnan().any()
    assert calibration_error(part.log_odds[unknown], label[unknown]) < 0.05


def test_calibration_finds_the_line() -> None:
    log_odds = 2 * torch.randn(30000, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    chance = torch.sigmoid(0.5 * log_odds - 1)
    label = torch.bernoulli(chance, generator=torch.Generator().manual_seed(2))
    assert tuple(calibrate(log_odds, label)) == pytest.approx((0.5, -1, 0), abs=0.05)


def test_a_place_where_nothing_is_seen_may_lie_on_a_particle() -> None:
    p = torch.tensor([0.001, 0.3, 0.99], dtype=torch.float64)
    found = torch.sigmoid(Calibration(unseen=0.04)(torch.logit(p)))
    torch.testing.assert_close(found, p + (1 - p) * 0.04)
    features, label = particles()
    chance = torch.sigmoid(2 * (features[:, 0] - 100) / 7 - 2)
    fold = torch.arange(len(label)) % 4
    plain, scored = (self_taught(features, chance, fold, 6, unseen) for unseen in (0.0, 0.1))
    own = torch.sigmoid(plain.log_odds)
    unseen = 0.1 * min(1.0, float(own.sum() / chance.sum()))  # as many are particles as of those seen
    torch.testing.assert_close(torch.sigmoid(scored.log_odds), own + (1 - own) * unseen)
    assert scored.model.calibration.unseen == pytest.approx(unseen)


def test_importances_tell_what_counts() -> None:
    scored, features, _ = score()
    found = importances(scored.model, features, 3)
    assert torch.equal(found, importances(scored.model, features, 3))
    assert found.argmax() == 0 and found[4:].max() < 0.2 * found[0] and found[2] > found[4:].max()
