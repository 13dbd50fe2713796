import numpy as np
import pytest
import torch
from scipy import stats

from cryoflow.learn.score.fdr import hidden_objects, local_fdr, picked_share, q_values
from cryoflow.learn.score.logistic import fit_logistic
from cryoflow.learn.score.mixture import FREEDOM, Mixture, fit_mixture
from cryoflow.learn.score.particle_score import (
    TEACHES_ONLY,
    LogOddsModel,
    Scale,
    lacks_noise,
    learn,
    particle_log_odds,
    teaches,
)
from cryoflow.learn.score.robust import Shape, log_t, robust_shape


def normal(n: int, p: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, p)))


def test_q_values_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng(4)
    targets, decoys = rng.normal(1, 1, 60).round(1), rng.normal(0, 1, 40).round(1)  # with ties
    rates = {t: (1 + (decoys >= t).sum()) / (targets >= t).sum() for t in targets}
    expected = [min(1, *(rate for t, rate in rates.items() if t <= own)) for own in targets]
    found = q_values(torch.from_numpy(targets), torch.from_numpy(decoys))
    np.testing.assert_allclose(found.numpy(), expected)


@pytest.mark.parametrize("rate", [0.2, 0.7])
def test_q_values_of_picks_hold_where_most_of_the_noise_was_not_picked(rate: float) -> None:
    rng = np.random.default_rng(2)
    decoys, noise, particles = rng.normal(0, 1, 6000), rng.normal(0, 1, 6000), rng.normal(3, 0.7, 3000)
    targets = np.r_[noise, particles]
    false = np.arange(len(targets)) < len(noise)
    picked = rng.random(len(targets)) < np.where(false, rate, 0.95)
    scores = [torch.from_numpy(values) for values in (targets, targets[picked], decoys)]
    share = picked_share(*scores)
    assert rate < share < rate + 0.15  # particles among those that count make it larger
    q = q_values(scores[1], scores[2], share).numpy()
    for level in (0.05, 0.1):
        found = false[picked][q <= level].mean()
        assert 0.75 * level < found < 1.1 * level
    assert false[picked][q_values(scores[1], scores[2]).numpy() <= 0.1].mean() < 0.1 * rate + 0.02


def test_share_is_counted_among_the_likely_false() -> None:
    targets, none = torch.arange(21.0), torch.zeros(0)
    assert picked_share(targets, targets[13:18], none) == 5 / 8  # all false: 14 to 20 count
    assert picked_share(none, none, targets) == 1


def test_hidden_objects_are_counted() -> None:
    rng = np.random.default_rng(6)
    place = [rng.normal(0, 1, (20000, 5)).max(1) for _ in range(3)]  # targets, decoys, decoys elsewhere
    objects = rng.normal(1.8, 1, 6000)
    target = place[0].copy()
    target[:6000] = np.maximum(target[:6000], objects)
    won = target >= place[1]
    scores = [torch.from_numpy(values) for values in (target[won], place[1][~won], place[2])]
    lost = objects < np.maximum(place[0], place[1])[:6000]
    assert 0.3 < lost.mean() < 0.7
    told = lost & (objects > np.quantile(place[2], 0.45))  # those that win in more than a fifth of places
    assert hidden_objects(*scores) == pytest.approx(told.sum(), rel=0.15)
    assert hidden_objects(scores[0], scores[1], torch.zeros(0)) == 0


def test_local_fdr_is_the_ratio_of_densities_and_falls() -> None:
    rng = np.random.default_rng(1)
    decoys = rng.normal(0, 1, 20000)
    targets = np.r_[rng.normal(0, 1, 20000), rng.normal(4, 1, 10000)]
    at = np.linspace(-2, 6, 33)
    rate = local_fdr(*(torch.from_numpy(values) for values in (targets, decoys, at))).numpy()
    null, true = stats.norm.pdf(at), stats.norm.pdf(at, 4)
    assert np.abs(rate - null / (null + 0.5 * true)).max() < 0.08
    assert (np.diff(rate) <= 1e-12).all() and rate[0] == 1
    none = torch.zeros(0)
    assert local_fdr(none, none, torch.zeros(2)).tolist() == [1, 1]


def test_shape_is_not_moved_by_outliers() -> None:
    points = normal(2000, 4) * torch.tensor([1.0, 2.0, 0.5, 1.0]) + 3
    spoilt = torch.cat((points, 20 + 0.1 * normal(300, 4, 1)))
    shape = robust_shape(spoilt, 0.75)
    np.testing.assert_allclose(shape.centre, 3, atol=0.15)
    np.testing.assert_allclose(shape.covariance.diagonal(), [1, 4, 0.25, 1], rtol=0.15)


def test_other_points_lie_as_far_as_normal_ones_should() -> None:
    generator = torch.Generator().manual_seed(4)
    far = []
    for _ in range(200):
        points = torch.randn(80, 12, dtype=torch.float64, generator=generator)
        others = torch.randn(50, 12, dtype=torch.float64, generator=generator)
        far.append(robust_shape(points, 1.0).distances(others).mean())
    assert float(torch.stack(far).mean()) == pytest.approx(12, rel=0.05)


def test_log_t_is_that_of_scipy() -> None:
    covariance = torch.tensor([[2.0, 0.3], [0.3, 1.0]], dtype=torch.float64)
    points = normal(7, 2)
    expected = stats.multivariate_t.logpdf(points.numpy(), [0.5, -1], covariance.numpy(), df=5)
    found = log_t(points, Shape(torch.tensor([0.5, -1], dtype=torch.float64), covariance), 5)
    np.testing.assert_allclose(found, expected)


def kinds(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noise, particles and few outliers in six dimensions: features, what they are, and a first guess."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, 4000, p=(0.6, 0.35, 0.05))
    centre = np.array([[0, 0, 0, 0, 0, 0], [3, 1.5, 1, 0, 0, 0], [3, 1.5, 1, 0, 0, 0]])
    spread = np.where(kind == 2, 5.0, 1.0)
    points = centre[kind] + spread[:, None] * rng.normal(size=(len(kind), 6))
    null, true = (stats.norm.pdf(points[:, 0], m) for m in (0, 3))
    return torch.from_numpy(points), torch.from_numpy(kind), torch.from_numpy(true / (true + 1.6 * null))


def test_mixture_finds_the_shares() -> None:
    points, kind, chance = kinds()
    mixture = fit_mixture(points, chance)
    assert float(mixture.shares[0]) == pytest.approx(float((kind == 1).double().mean()), abs=0.04)
    found = mixture.responsibilities(points, chance)[:, 0]
    assert float(((found > 0.5) == (kind == 1)).double().mean()) > 0.93


def test_shares_are_mean_chances_with_one_more_point_of_each_kind() -> None:
    """Without it a kind that no point belongs to would have a share of 0, and a log density of -inf."""
    points, chance, _ = kinds()
    mixture = fit_mixture(points, chance)
    chances = mixture.responsibilities(points, chance)
    torch.testing.assert_close(mixture.shares, (chances.sum(0) + 1) / (len(points) + 3), rtol=0, atol=1e-6)


def test_log_odds_are_of_odds_against_noise_and_outliers_together() -> None:
    features = torch.cat((normal(400, 3), normal(30, 3, 1) * 4 + 3))
    mixture = Mixture(
        (
            Shape(torch.tensor([1.0, 0.5]).double(), torch.eye(2).double()),
            Shape(torch.zeros(2).double(), torch.eye(2).double()),
            Shape(torch.tensor([1.0, 0.5]).double(), 10 * torch.eye(2).double()),
        ),
        torch.tensor([0.3, 0.6, 0.1], dtype=torch.float64),
    )
    logistic = fit_logistic(features, torch.sigmoid(features[:, 0] - features[:, 2]))
    found = LogOddsModel(mixture, logistic).log_odds(features, 2)
    density = [
        share * stats.multivariate_t([1.0, 0.5], width * np.eye(2), df=freedom).pdf(features[:, :2].numpy())
        for share, width, freedom in ((0.3, 1, FREEDOM[0]), (0.1, 10, FREEDOM[2]))
    ]
    noise, outlier = np.exp(-logistic.log_odds(features).numpy()), density[1] / density[0]
    np.testing.assert_allclose(torch.exp(-found).numpy(), noise + outlier, rtol=1e-9)
    assert (noise > outlier).any() and (outlier > noise).any()


def test_chances_are_those_of_bayes_beyond_what_the_first_feature_says() -> None:
    points, _, chance = kinds()
    mixture = fit_mixture(points, chance)
    found = mixture.responsibilities(points[:50], chance[:50]).numpy()
    for point, known, own in zip(
        points[:50].numpy(), chance[:50].clamp(0.02, 0.98).tolist(), found, strict=True
    ):
        pairs = list(zip(mixture.shapes, FREEDOM, strict=True))
        whole = [
            stats.multivariate_t.pdf(point, s.centre.numpy(), s.covariance.numpy(), df=f) for s, f in pairs
        ]
        scale = [float(s.covariance[0, 0]) ** 0.5 for s in mixture.shapes]
        first = [
            stats.t.pdf(point[0], f, float(s.centre[0]), c) for (s, f), c in zip(pairs, scale, strict=True)
        ]
        share = mixture.shares.numpy()
        objects = share[0] * first[0] + share[2] * first[2]
        parts = [known * share[k] * whole[k] / objects for k in (0, 2)]
        noise = (1 - known) * whole[1] / first[1]
        expected = np.array([parts[0], noise, parts[1]]) / (sum(parts) + noise)
        np.testing.assert_allclose(own, expected, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(mixture.responsibilities(points, chance).mean(0), mixture.shares, atol=1e-3)


@pytest.mark.parametrize("seed", [0, 2])
def test_noise_of_two_kinds_does_not_pass_for_particles(seed: int) -> None:
    """A third of the noise is quiet, the rest lies around contaminants; one density fits that badly."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(4, 3000, p=(0.15, 0.25, 0.35, 0.25))  # quiet, loud, particles, contaminants
    centre, spread = np.array([-1.0, 4, 0, 3])[kind, None], np.array([0.5, 3, 0.5, 3])[kind, None]
    points = centre + spread * rng.normal(size=(3000, 8))
    score = rng.normal(np.where(kind < 2, 0, 3), 1)
    null, true = (stats.norm.pdf(score, m) for m in (0, 3))
    chance = torch.from_numpy(0.6 * true / (0.6 * true + 0.4 * null))
    features = torch.from_numpy(np.column_stack((score, points)))
    chances = fit_mixture(features, chance).responsibilities(features, chance)
    particle = chances[:, 0].numpy()
    assert particle.mean() == pytest.approx((kind == 2).mean(), abs=0.02)
    assert particle[kind == 0].mean() < 0.2 and particle[kind == 2].mean() > 0.98


def test_logistic_finds_the_truth_and_is_calibrated() -> None:
    points = normal(20000, 3)
    log_odds = 1.5 * points[:, 0] - points[:, 1] + 0.5 * (points[:, 2] ** 2) - 0.7
    labels = torch.bernoulli(torch.sigmoid(log_odds), generator=torch.Generator().manual_seed(1))
    found = fit_logistic(points, labels).log_odds(points)
    assert float((found - log_odds).abs().mean()) < 0.1


def test_log_odds_are_calibrated_and_cross_fitted() -> None:
    points, kind, chance = kinds(3)
    fold = torch.arange(len(points)) % 4
    log_odds = particle_log_odds(points, chance, fold, 6)
    good, p = (kind == 1).double(), torch.sigmoid(log_odds)
    edges = (p * 5).long().clamp_max(4)
    error = sum(
        float((p[edges == i].mean() - good[edges == i].mean()).abs() * (edges == i).double().mean())
        for i in range(5)
    )
    assert error < 0.04
    assert stats.mannwhitneyu(p[good == 1], p[good == 0]).statistic / (good.sum() * (1 - good).sum()) > 0.95
    assert torch.equal(log_odds, particle_log_odds(points, chance, fold, 6))


def test_five_particles_a_feature_teach_and_as_much_noise_is_enough() -> None:
    assert teaches(torch.tensor([0.9] * 60 + [0.5] * 40))
    assert not teaches(torch.tensor([0.9] * 59 + [0.1] * 200 + [0.5] * 40))
    assert not lacks_noise(torch.tensor([0.9] * 60 + [0.1] * 60))
    assert lacks_noise(torch.tensor([0.9] * 60 + [0.1] * 59 + [0.5] * 40))


def test_noise_that_is_not_scored_teaches_as_any_other() -> None:
    points, kind, chance = kinds(3)
    noise = kind == 0
    fold = torch.where(noise, TEACHES_ONLY, torch.arange(len(points)) % 4)
    log_odds = particle_log_odds(points, chance, fold, 6)
    assert torch.equal(log_odds.isnan(), noise)
    scaled, own = Scale.of(points)(points), fold == 2
    expected = learn(scaled[~own], chance[~own], 6).log_odds(scaled[own], 6)
    assert torch.equal(log_odds[own], expected)
