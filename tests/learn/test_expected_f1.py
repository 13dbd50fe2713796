"""Expected F1 against the mean over outcomes drawn with the probabilities."""

import numpy as np
import pytest

from cryoflow.learn.score.expected import best_expected_f1, expected_f1


def test_it_is_the_mean_f1_of_outcomes_that_the_probabilities_describe() -> None:
    rng = np.random.default_rng(0)
    probability = rng.beta(0.5, 0.7, 800)
    chosen = probability >= 0.4
    true = rng.random((400, 800)) < probability
    f1 = 2 * (true & chosen).sum(1) / (chosen.sum() + true.sum(1))
    assert expected_f1(probability[chosen], probability) == pytest.approx(f1.mean(), abs=0.003)


def test_the_best_is_that_of_the_best_cut() -> None:
    probability = np.random.default_rng(1).random(60)
    cuts = [expected_f1(probability[probability >= cut], probability) for cut in probability]
    assert best_expected_f1(probability) == pytest.approx(max(cuts), abs=1e-12)


def test_certain_probabilities_give_f1_itself() -> None:
    truth = np.array([1.0, 1, 1, 0, 0])
    assert expected_f1(truth[[0, 1, 3]], truth) == pytest.approx(2 * 2 / (3 + 3))
    assert best_expected_f1(truth) == 1


def test_nothing_chosen_and_rows_without_probability() -> None:
    assert expected_f1(np.zeros(0), np.ones(3)) == 0 == best_expected_f1(np.zeros(0))
    with_gap = np.array([0.8, np.nan])
    assert expected_f1(with_gap, with_gap) == pytest.approx(2 * 0.8 / 2.8)
