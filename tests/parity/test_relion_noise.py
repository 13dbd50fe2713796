"""The random numbers that comparisons with RELION share with it."""

import numpy as np
import pytest

from parity.noise import Deviates, polar, uniform


def test_uniform_numbers_are_those_of_the_c_library() -> None:
    known = [1804289383, 846930886, 1681692777, 1714636915, 1957747793, 424238335, 719885386]
    assert np.rint(uniform(1, 7) * 2147483647).astype(int).tolist() == known


def test_deviates_are_normal() -> None:
    drawn = polar(uniform(3, 200_000))
    assert len(drawn) == pytest.approx(200_000 * np.pi / 4, rel=0.01)
    assert [drawn.mean(), drawn.std(), (drawn**4).mean()] == pytest.approx([0, 1, 3], abs=0.05)
    assert abs(np.corrcoef(drawn[::2], drawn[1::2])[0, 1]) < 0.02


def test_the_second_of_a_pair_waits_for_the_next_micrograph() -> None:
    deviates = Deviates()
    first, second, third = (deviates.of_micrograph(place, 5) for place in range(3))
    alone = [polar(uniform(1 + place, 200)) for place in range(3)]
    np.testing.assert_array_equal(first, alone[0][:5])
    np.testing.assert_array_equal(second, [alone[0][5], *alone[1][:4]])
    np.testing.assert_array_equal(third, alone[2][:5])
