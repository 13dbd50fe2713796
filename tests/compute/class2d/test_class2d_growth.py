"""How many classes are in use while their number grows."""

import pytest

from cryoflow.compute.class2d import classes_in_use, to_fill


def test_twenty_classes_grow_tenfold_in_ten_of_twenty_five_iterations() -> None:
    """2, 2.52, 3.17, 3.99, 5.02, 6.32, 7.96, 10.02, 12.6, 15.9, 20: rounded up."""
    use = [classes_in_use(20, i, 25) for i in range(26)]
    assert use == [2, 3, 4, 4, 6, 7, 8, 11, 13, 16] + 16 * [20]


def test_powers_of_two_are_whole_numbers() -> None:
    assert [classes_in_use(64, i, 25) for i in (2, 4, 6, 8)] == [4, 8, 16, 32]


@pytest.mark.parametrize("classes", [1, 2])
def test_nothing_is_left_to_grow_in_one_or_two_classes(classes: int) -> None:
    assert {classes_in_use(classes, i, 25) for i in range(26)} == {classes}


@pytest.mark.parametrize("iterations", range(1, 30))
def test_every_class_is_in_use_before_the_last_iteration(iterations: int) -> None:
    assert classes_in_use(50, iterations - 1, iterations) == 50
    assert classes_in_use(50, 0, iterations) == (50 if iterations < 3 else 2)


def test_classes_are_filled_in_the_first_four_fifths() -> None:
    filled = [to_fill(20, i, 25) for i in range(1, 26)]
    assert [fill is None for fill in filled] == 20 * [False] + 5 * [True]
    assert filled[0] == (3, 0.01) and filled[19] == (20, 0.01)
