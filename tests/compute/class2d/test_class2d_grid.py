import math

import numpy as np
import pytest
import torch
from helpers.class2d_problem import options

from cryoflow.compute.class2d.sampling import (
    image_sizes,
    make_sampling,
    next_perturbation,
    points_within,
    round_away,
)
from cryoflow.compute.class2d.state import Options

TUTORIAL = Options(box=64, pixel_size_a=3.54, mask_diameter_a=200)


def test_image_sizes_of_the_tutorial() -> None:
    assert image_sizes(4, TUTORIAL) == (28, 28)
    assert image_sizes(9, TUTORIAL) == (38, 34)  # 2 ceil(226.56 / (12 / 360 pi 200 / 1.5)) = 34
    assert image_sizes(31, TUTORIAL) == (64, 34)


def test_limited_e_step_and_kept_poses_set_the_coarse_size() -> None:
    assert image_sizes(16, TUTORIAL._replace(e_step_limit_a=15)).coarse == 30
    assert image_sizes(6, TUTORIAL._replace(align=False)) == (32, 32)


def test_offsets_are_the_disc_on_a_square_grid() -> None:
    sampling = make_sampling(TUTORIAL, 0.0)
    expected = {(y, x) for y in range(-6, 7, 2) for x in range(-6, 7, 2) if y * y + x * x <= 25}
    assert {tuple(map(int, row)) for row in sampling.offset_prior.tolist()} == expected
    assert len(sampling.offset_fine) == 4 * 21
    children = sampling.offset_fine.view(21, 4, 2)
    assert torch.equal(children.mean(1), sampling.offset_coarse)
    assert torch.equal(
        (children - sampling.offset_coarse[:, None]).abs().unique(), torch.tensor([0.5]).double()
    )


def test_offsets_at_the_range_itself_are_tried() -> None:
    offsets = make_sampling(TUTORIAL._replace(offset_range_px=4.0), 0.0).offset_prior.tolist()
    assert [4, 0] in offsets and [0, -4] in offsets and len(offsets) == 13


def test_angles_and_perturbation() -> None:
    still, moved = make_sampling(TUTORIAL, 0.0), make_sampling(TUTORIAL, -0.25)
    assert torch.allclose(still.psi_coarse, torch.arange(30).double() * 12)
    turn = (still.psi_fine.view(30, 2) - still.psi_coarse[:, None] + 180) % 360 - 180
    assert torch.allclose(turn, torch.tensor([-3.0, 3.0]).double().expand(30, 2))
    assert torch.allclose(moved.psi_fine - still.psi_fine, torch.tensor(-3.0).double())
    assert torch.allclose(moved.offset_fine - still.offset_fine, torch.tensor(-0.5).double())
    assert torch.equal(moved.offset_prior, still.offset_prior)
    assert len(make_sampling(options(16, psi_step_deg=7.0), 0).psi_coarse) == math.ceil(360 / 7)


@pytest.mark.parametrize(("box", "radius"), [(16, 5), (16, 8), (20, 10)])
def test_points_hold_each_pair_once_from_the_origin_out(box: int, radius: int) -> None:
    points = points_within(box, radius)
    found = set(zip(points.y.int().tolist(), points.x.int().tolist(), strict=True))
    wanted = {
        (y, x)
        for y in range(-box // 2 + 1, box // 2 + 1)
        for x in range(box // 2 + 1)
        if y * y + x * x <= radius**2 and not (x == 0 and y < 0)
    }
    assert found == wanted and len(points.y) == len(wanted)
    assert (points.y[0], points.x[0]) == (0, 0)
    modulus = torch.hypot(points.y, points.x)
    assert torch.all(modulus.diff() >= 0)
    image = torch.randn(box, box, dtype=torch.float64)
    direct = torch.fft.rfft2(torch.fft.ifftshift(image))  # moves n // 2 to the origin
    there = direct[points.y.long() % box, points.x.long()]
    assert torch.allclose(torch.fft.rfft2(image).flatten()[points.position] * points.sign, there)


def test_perturbation_stays_within_half_a_step() -> None:
    values = [0.0]
    for uniform in np.random.default_rng(0).uniform(size=200):
        values.append(next_perturbation(values[-1], uniform))
    steps = np.diff(values) % 1
    assert np.all(np.abs(values) <= 0.5) and np.all((steps >= 0.25 - 1e-12) & (steps <= 0.5 + 1e-12))


def test_rounding_goes_away_from_zero() -> None:
    assert [round_away(v) for v in (0.5, -0.5, 1.49, -1.5, 2.5)] == [1, -1, 1, -2, 3]
