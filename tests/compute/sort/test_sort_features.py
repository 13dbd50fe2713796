import numpy as np
import pytest
import torch
from scipy import stats

from cryoflow.compute.image.masks import disc
from cryoflow.compute.sort.features import (
    features,
    power_variance,
    sorting_radius_squared,
    z_scores,
)


def residual(n: int, box: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.gamma(2, size=(n, box, box)) * rng.uniform(1, 3, size=(n, 1, 1))


@pytest.mark.parametrize(("box", "radius_squared"), [(16, 64), (16, 30.25), (12, 25)])
def test_real_space_features_agree_with_scipy(box: int, radius_squared: float) -> None:
    images = residual(3, box)
    got = features(torch.tensor(images), disc(box, radius_squared)).numpy()
    y, x = np.mgrid[:box, :box] - box // 2
    inside = y**2 + x**2 < radius_squared
    for image, row in zip(images, got, strict=True):
        values = image[inside]
        quarters = [
            image[inside & (up == (y > 0)) & (right == (x > 0))].std()
            for up in (True, False)
            for right in (True, False)
        ]
        expected = [values.mean(), values.std(), stats.skew(values), stats.kurtosis(values), np.std(quarters)]
        np.testing.assert_allclose(row[:5], expected, rtol=1e-10)


@pytest.mark.parametrize("box", [16, 12])
def test_power_variance_agrees_with_a_plain_loop(box: int) -> None:
    image = residual(1, box)[0]
    transform = np.fft.fft2(image) / box**2
    powers: dict[int, list[float]] = {}
    for row in range(box):
        ky = row if row <= box // 2 else row - box
        for kx in range(box // 2 + 1):
            ring = int(np.floor(np.hypot(ky, kx) + 0.5))
            if ring < box // 2:
                powers.setdefault(ring, []).append(abs(transform[row, kx]) ** 2)
    departures = np.concatenate([np.array(p) - np.mean(p) for p in powers.values()])
    expected = departures.var() * (box * (box // 2 + 1)) ** 2
    assert float(power_variance(torch.tensor(image[None]))[0]) == pytest.approx(expected, rel=1e-10)


def test_scores_average_the_positive_z_scores() -> None:
    values = np.random.default_rng(6).normal(size=(50, 6))
    manual = np.zeros(50, bool)
    manual[[3, 40]] = True
    got = z_scores(torch.tensor(values), torch.tensor(manual)).numpy()
    expected = np.clip(stats.zscore(values[~manual], axis=0), 0, None).mean(1)
    np.testing.assert_allclose(got[~manual], expected, rtol=1e-10)
    assert (got[manual] == -1).all()


@pytest.mark.parametrize("number", [3, 49, 100])
def test_what_is_the_same_in_all_particles_adds_nothing(number: int) -> None:
    values = torch.full((number, 6), 0.1, dtype=torch.float64)
    values[:, 0] = torch.arange(number)
    manual = torch.arange(number) == 1
    values[1] = 7.0
    alone = z_scores(values[:, :1], manual)
    assert torch.allclose(z_scores(values, manual)[~manual], alone[~manual] / 6)


def test_one_particle_or_none_scores_without_fuss() -> None:
    values = torch.randn(1, 6, dtype=torch.float64)
    assert z_scores(values, torch.tensor([False])).tolist() == [0.0]
    assert z_scores(values, torch.tensor([True])).tolist() == [-1.0]
    assert z_scores(values[:0], torch.zeros(0, dtype=torch.bool)).shape == (0,)


@pytest.mark.parametrize("box", [16, 15])
def test_radius_is_half_the_mean_width_on_the_central_line(box: int) -> None:
    references = torch.zeros(2, box, box)
    references[0, box // 2, 3:11] = 1  # differs from pixel 3, is back at 11: width 10 - 3
    references[1, box // 2, 5:10] = -1
    references[1, box // 2 + 1, :] = 1  # another line does not count
    assert sorting_radius_squared(references) == ((7 + 4) / 2 / 2) ** 2


def test_radius_without_a_flat_border_is_half_the_box() -> None:
    references = torch.zeros(2, 16, 16)
    references[0, 8, 6:9] = 1
    references[1, 8, 6:] = 1
    assert sorting_radius_squared(references) == 64
    assert sorting_radius_squared(torch.zeros(1, 16, 16)) == 0
