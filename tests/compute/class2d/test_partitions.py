from itertools import combinations, permutations

import numpy as np
import pytest
import torch

from benchmarks.class2d_parts.partitions import adjusted_rand_index, matched_agreement


@pytest.mark.parametrize("seed", range(4))
def test_agreement_is_the_best_over_all_ways_to_pair_classes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = rng.integers(0, 4, 40)
    other = np.where(rng.uniform(size=40) < 0.6, np.array([2, 0, 3, 1])[one], rng.integers(0, 4, 40))
    best = max((np.array(order)[one] == other).mean() for order in permutations(range(4)))
    assert matched_agreement(*map(torch.from_numpy, (one, other))) == pytest.approx(best)


@pytest.mark.parametrize("seed", range(4))
def test_rand_index_counts_pairs(seed: int) -> None:
    """From the pairs that are together in both, in one, or in neither."""
    rng = np.random.default_rng(seed)
    one, other = rng.integers(0, 3, 25), rng.integers(0, 4, 25)
    other[:12] = one[:12]
    a = b = c = d = 0
    for i, j in combinations(range(25), 2):
        here, there = one[i] == one[j], other[i] == other[j]
        a, b, c, d = a + (here & there), b + (here & ~there), c + (~here & there), d + (~here & ~there)
    expected = 2 * (a * d - b * c) / ((a + b) * (b + d) + (a + c) * (c + d))
    assert adjusted_rand_index(*map(torch.from_numpy, (one, other))) == pytest.approx(expected)


def test_names_of_classes_do_not_matter() -> None:
    one = torch.from_numpy(np.random.default_rng(0).integers(0, 5, 60))
    assert matched_agreement(one, 4 - one) == 1 and adjusted_rand_index(one, 4 - one) == 1
    assert adjusted_rand_index(0 * one, 0 * one) == 1


def test_random_divisions_agree_by_chance_only() -> None:
    one, other = torch.from_numpy(np.random.default_rng(3).integers(0, 10, (2, 5000)))
    assert abs(adjusted_rand_index(one, other)) < 0.01
