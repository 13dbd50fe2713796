import numpy as np
import pytest
import torch

from cryoflow.compute.image.resize import (
    at_pixel_size,
    fit_box,
    rescale,
    resize,
    resize_square,
    resized_box,
)
from cryoflow.errors import CryoflowError


def direct_transform(image: np.ndarray, y: float, x: float, ky: float, kx: float) -> complex:
    """Sum over pixels of an image about the point (y, x), frequencies in cycles per pixel."""
    rows, columns = np.indices(image.shape)
    return complex((image * np.exp(-2j * np.pi * (ky * (rows - y) + kx * (columns - x)))).sum())


@pytest.mark.parametrize(
    ("old", "new"), [((12, 16), (8, 10)), ((11, 15), (7, 9)), ((9, 8), (12, 13)), ((10, 7), (9, 12))]
)
def test_resize_keeps_the_centre_and_the_grey_values(old: tuple[int, int], new: tuple[int, int]) -> None:
    image = torch.tensor(np.random.default_rng(0).normal(size=old))
    small = resize(image, *new).numpy()
    assert small.shape == new
    assert small.mean() == pytest.approx(float(image.mean()))
    # frequencies that both images hold have the same coefficient about the centre, per pixel; k in 1/box
    for a, b in [(0, 1), (1, 2), (-2, 3), (3, 0)]:
        before = (
            direct_transform(image.numpy(), old[0] // 2, old[1] // 2, a / old[0], b / old[1]) / image.numel()
        )
        after = direct_transform(small, new[0] // 2, new[1] // 2, a / new[0], b / new[1]) / small.size
        assert after == pytest.approx(before, abs=1e-12)


def coefficient(image: np.ndarray, ky: int, kx: int) -> complex:
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return complex((image * np.exp(-2j * np.pi * (ky * y + kx * x) / image.shape[0])).mean())


@pytest.mark.parametrize(("old", "new"), [(16, 10), (10, 16), (12, 12)])
def test_rescaling_keeps_the_fourier_coefficients_below_nyquist(old: int, new: int) -> None:
    image = np.random.default_rng(1).normal(size=(old, old))
    got = rescale(torch.tensor(image[None]), new)[0].numpy()
    assert got.shape == (new, new)
    half = min(old, new) // 2
    for ky, kx in [(0, 0), (1, 2), (-half + 1, 1), (2, half - 1), (half - 2, half - 3)]:
        if ky**2 + kx**2 < half**2 or new <= old:
            assert abs(coefficient(got, ky, kx) - coefficient(image, ky, kx)) < 1e-12


def test_enlarging_leaves_nothing_outside_the_old_nyquist_circle() -> None:
    image = np.random.default_rng(2).normal(size=(10, 10))
    power = np.abs(np.fft.fft2(rescale(torch.tensor(image[None]), 16)[0].numpy())) ** 2
    k = np.fft.fftfreq(16, 1 / 16)
    assert power[np.hypot(k[:, None], k[None, :]) > 5.01].max() < 1e-20
    assert power[4, 4] < 1e-20


@pytest.mark.parametrize(("old", "new"), [(12, 16), (16, 12), (12, 15), (15, 12), (15, 16), (16, 15)])
def test_fitting_a_box_keeps_the_centre(old: int, new: int) -> None:
    image = np.random.default_rng(0).normal(size=(old, old))
    out = fit_box(torch.tensor(image[None]), new)[0].numpy()
    offset = new // 2 - old // 2
    for y in range(new):
        for x in range(new):
            inside = 0 <= y - offset < old and 0 <= x - offset < old
            assert out[y, x] == (image[y - offset, x - offset] if inside else 0)


def test_references_follow_the_pixel_size() -> None:
    y, x = np.mgrid[:32, :32] - 16
    spot = torch.tensor(np.exp(-(y**2 + x**2) / 32)[None])
    same = at_pixel_size(spot, 3.0, 3.0005, rescale)
    assert torch.equal(same, spot)
    large = at_pixel_size(spot, 3.0, 1.5, rescale)
    assert large.shape == (1, 64, 64) and float(large[0, 32, 32]) == pytest.approx(0.5, abs=1e-3)
    small = at_pixel_size(spot, 3.0, 4.0, rescale)
    assert small.shape == (1, 24, 24) and float(small[0, 12, 12]) == pytest.approx(1, abs=1e-3)
    assert float(small[0, 12, 15]) == pytest.approx(float(np.exp(-16 / 32)), abs=1e-3)


@pytest.mark.parametrize(
    ("old", "old_a", "new_a", "new"), [(32, 3.0, 4.0, 24), (33, 2.0, 1.0, 64), (10, 1.0, 1.1, 10)]
)
def test_boxes_at_another_pixel_size_are_even(old: int, old_a: float, new_a: float, new: int) -> None:
    assert resized_box(old, old_a, new_a) == new
    images = torch.ones(1, old, old)
    found = at_pixel_size(images, old_a, new_a, resize_square)
    assert found.shape == (1, new, new)
    assert float(found.mean()) == pytest.approx(min(1, old / new))


def test_references_that_vanish_are_refused() -> None:
    with pytest.raises(CryoflowError, match="less than 2 pixels"):
        resized_box(10, 1.0, 20.0)
