import numpy as np
import pytest
import torch

from cryoflow.compute.extract.normalize import (
    background,
    background_radius,
    background_statistics,
    normalize,
    remove_dust,
    subtract_plane,
)
from cryoflow.compute.image.masks import outside_disc


def images(n: int, size: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    ramps = rng.normal(size=(n, 2, 1, 1))
    return 1000 + ramps[:, 0] * y + ramps[:, 1] * x + 5 * rng.normal(size=(n, size, size))


def radius_squared(size: int) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - size // 2
    return y**2 + x**2


@pytest.mark.parametrize(("size", "radius"), [(16, 6), (15, 7), (16, 0)])
def test_mask_is_what_lies_beyond_the_radius(size: int, radius: int) -> None:
    np.testing.assert_array_equal(outside_disc(size, radius).numpy(), radius_squared(size) > radius**2)


def test_radius_is_cut_to_whole_rescaled_pixels() -> None:
    assert background_radius(100, 128, 64) == 25
    assert background_radius(0.75 * 100, 100, 100) == 37
    assert background_radius(99, 128, 64) == 24


@pytest.mark.parametrize("size", [16, 15])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_plane_is_that_of_least_squares_on_the_background(size: int, dtype: torch.dtype) -> None:
    data = images(4, size)
    outside = radius_squared(size) > 25
    got = subtract_plane(torch.tensor(data, dtype=dtype), background(torch.tensor(outside), dtype)).numpy()
    y, x = np.mgrid[:size, :size]
    basis = np.stack([y.ravel(), x.ravel(), np.ones(size * size)], 1)
    for image, flat in zip(data, got, strict=True):
        fit, *_ = np.linalg.lstsq(basis[outside.ravel()], image[outside], rcond=None)
        expected = image - (basis @ fit).reshape(size, size)
        np.testing.assert_allclose(flat, expected, atol=2e-3 if dtype == torch.float32 else 1e-9)


def test_large_grey_values_cost_no_digits_of_the_plane() -> None:
    data = torch.tensor(images(4, 64) + 3e4, dtype=torch.float32)
    mask = torch.tensor(radius_squared(64) > 400)
    exact = subtract_plane(data.double(), background(mask, torch.float64))
    assert float((subtract_plane(data, background(mask, torch.float32)) - exact).abs().max()) < 1e-3


@pytest.mark.parametrize("size", [16, 15])
def test_background_of_normalised_images_has_mean_0_and_sd_1(size: int) -> None:
    where = background(torch.tensor(radius_squared(size) > 25), torch.float64)
    found = background_statistics(normalize(torch.tensor(images(3, size)), where), where)
    np.testing.assert_allclose(found.mean.numpy(), 0, atol=1e-12)
    np.testing.assert_allclose(found.sd.numpy(), 1, atol=1e-12)


def test_flat_background_is_not_divided() -> None:
    image = torch.zeros(1, 16, 16, dtype=torch.float64)
    image[0, 8, 8] = 7
    out = normalize(image + 3, background(outside_disc(16, 4), torch.float64))
    assert torch.allclose(out, image, atol=1e-9)


@pytest.mark.parametrize("level", [1234.567, -3e4])
def test_rounding_of_a_flat_background_is_not_divided(level: float) -> None:
    image = torch.full((1, 16, 16), level)
    image[:, :, ::2] = torch.nextafter(image[:, :, ::2], torch.tensor(torch.inf))
    image[0, 8, 8] += 7
    out = normalize(image, background(outside_disc(16, 4), torch.float32))
    assert float(out[0, 8, 8]) == pytest.approx(7, rel=1e-3)
    out[0, 8, 8] = 0
    assert float(out.abs().max()) < 1e-6 * abs(level)


def test_dust_is_replaced_and_the_rest_left_alone() -> None:
    data = torch.tensor(images(2, 32)) - 1000
    data[1] = torch.randn(32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    data[1, 3, 4], data[1, 16, 16], data[1, 30, 2] = 50.0, 40.0, -60.0
    where = background(outside_disc(32, 12), torch.float64)
    found = background_statistics(data, where)
    white = (data - found.mean[:, None, None]) > 5 * found.sd[:, None, None]
    out = remove_dust(data, where, 5, None, [1, 2])
    assert torch.equal(out.replaced, white) and out.replaced[1, 3, 4]
    assert torch.equal(out.images[~white], data[~white])
    assert (out.images[1, 3, 4] - found.mean[1]).abs() < 4 * found.sd[1]
    both = remove_dust(data, where, 5, 5, [1, 2])
    assert both.replaced[1, 30, 2] and torch.equal(both.images[0], data[0])


def test_dust_noise_has_the_background_statistics_and_depends_on_the_seed_alone() -> None:
    data = torch.randn(3, 128, 128, generator=torch.Generator().manual_seed(0)) * 3 + 20
    where = background(outside_disc(128, 60), torch.float32)
    data[:, 40:88, 40:88] += 1000
    found = background_statistics(data, where)
    together = remove_dust(data, where, 6, None, [7, 8, 9]).images
    alone = remove_dust(data[1:2], where, 6, None, [8]).images
    torch.testing.assert_close(together[1:2], alone)  # but for rounding, which depends on the batch
    assert not torch.equal(together, remove_dust(data, where, 6, None, [7, 10, 9]).images)
    noise = (together[:, 40:88, 40:88] - found.mean[:, None, None]) / found.sd[:, None, None]
    assert abs(float(noise.mean())) < 0.05 and abs(float(noise.std()) - 1) < 0.05
