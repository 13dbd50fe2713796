"""The valley of a histogram: of mixtures whose density is known, and none where there is one mode."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from cryoflow.compute.pick.valley import find_valley


def mixture(share: float, middle: float, seed: int, count: int = 6000) -> np.ndarray:
    """Normal scores around 0 with sd 1, and a share of them around the middle of the second mode."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(count) < share, middle, 0) + rng.normal(size=count)


def true_valley(share: float, middle: float) -> tuple[float, float]:
    """Place and depth from the density itself."""

    def density(x: float) -> float:
        return float((1 - share) * norm.pdf(x) + share * norm.pdf(x - middle))

    place = minimize_scalar(density, bounds=(0.2, middle - 0.2), method="bounded").x
    sides = [
        -minimize_scalar(lambda x: -density(x), bounds=bounds, method="bounded").fun
        for bounds in ((-1, place), (place, middle + 1))
    ]
    return place, 1 - density(place) / min(sides)


@pytest.mark.parametrize(("share", "middle"), [(0.5, 4.0), (0.2, 5.0), (0.7, 4.5)])
def test_valley_of_two_normals_is_that_of_their_density(share: float, middle: float) -> None:
    place, depth = true_valley(share, middle)
    found = [find_valley(mixture(share, middle, seed)) for seed in range(5)]
    assert np.mean([one.threshold for one in found if one]) == pytest.approx(place, abs=0.25)
    # the kernel widens both modes and fills the valley
    assert np.mean([one.depth for one in found if one]) == pytest.approx(depth, abs=0.15)
    assert None not in found


def test_valley_moves_and_scales_with_the_scores() -> None:
    scores = mixture(0.4, 4.5, 1)
    plain, other = find_valley(scores), find_valley(0.1 * scores[::-1] + 0.3)
    assert plain and other
    assert other.threshold == pytest.approx(0.1 * plain.threshold + 0.3, abs=1e-9)
    assert other.depth == pytest.approx(plain.depth, abs=1e-9)


def test_noise_that_a_threshold_has_cut_counts_as_a_mode() -> None:
    scores = mixture(0.3, 5, 2)
    place, _ = true_valley(0.3, 5)
    for floor in (0.5, 1.0):
        found = find_valley(scores[scores >= floor])
        assert found and found.threshold == pytest.approx(place, abs=0.3)


@pytest.mark.parametrize("make", ["normal", "exponential", "uniform", "gumbel", "lognormal"])
@pytest.mark.parametrize("count", [50, 1000])
def test_one_mode_has_no_clear_valley(make: str, count: int) -> None:
    rng = np.random.default_rng(3)
    assert not any(find_valley(getattr(rng, make)(size=count)) for _ in range(40))


def test_modes_that_run_into_each_other_have_no_clear_valley() -> None:
    assert find_valley(mixture(0.5, 2.2, 4)) is None


def test_too_few_equal_and_missing_scores_have_none() -> None:
    assert find_valley(np.zeros(0)) is None
    assert find_valley(np.array([0.1, 5.0] * 8)) is None
    assert find_valley(np.full(100, 0.4)) is None
    with_gaps = np.concatenate((mixture(0.5, 5, 5), [np.nan, np.inf]))
    assert find_valley(with_gaps) == find_valley(mixture(0.5, 5, 5))
