"""Discs against plain loops over pixels."""

import math

import numpy as np
import pytest
import torch

from cryoflow.compute.image import masks


def distances(size: int) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - size // 2
    return np.hypot(y, x)


@pytest.mark.parametrize("size", [10, 11])
def test_pixels_on_the_circle_belong_to_one_program_and_not_to_the_other(size: int) -> None:
    """(3, 4) lies at exactly 5: outside the picker's disc, inside the particle's circle of extraction."""
    middle = size // 2
    picked, background = masks.disc(size, 25), masks.outside_disc(size, 5)
    assert not picked[middle - 3, middle - 4] and not background[middle - 3, middle - 4]
    assert picked[middle, middle - 4] and not background[middle, middle - 4]
    assert not picked[middle - 4, middle - 4] and background[middle - 4, middle - 4]
    assert picked.numpy().tolist() == (distances(size) < 5 - 1e-9).tolist()
    assert background.numpy().tolist() == (distances(size) > 5 + 1e-9).tolist()


@pytest.mark.parametrize("size", [16, 17])
def test_soft_edges_begin_at_the_radius_or_lie_astride(size: int) -> None:
    r, middle, like = distances(size), size // 2, torch.zeros(1, dtype=torch.float64)
    assert masks.distance_map(size).numpy() == pytest.approx(r)
    outside, soft = masks.outside_weight(size, 4, 3).numpy(), masks.soft_disc(size, 4, 3, like).numpy()
    assert (outside[r <= 4] == 0).all() and (outside[r >= 7] == 1).all()
    assert (soft[r <= 2.5] == 1).all() and (soft[r >= 5.5] == 0).all()
    assert outside[middle, middle - 5] == pytest.approx((1 - math.cos(math.pi / 3)) / 2)
    assert soft[middle, middle - 4] == pytest.approx(0.5)
    assert soft[middle - 5, middle] == pytest.approx((1 + math.cos(math.pi * 2.5 / 3)) / 2)
