import numpy as np
import pytest
import torch
from scipy import ndimage

from cryoflow.compute.select.centering import centre, centre_of_mass, shift_bilinear


@pytest.mark.parametrize("size", [(16, 16), (15, 18)])
def test_centre_of_mass_is_that_of_positive_density(size: tuple[int, int]) -> None:
    images = np.random.default_rng(8).normal(size=(3, *size))
    got = centre_of_mass(torch.tensor(images))
    for image, y, x in zip(images, got.y, got.x, strict=True):
        expected = np.array(ndimage.center_of_mass(np.clip(image, 0, None))) - np.array(size) // 2
        np.testing.assert_allclose((float(y), float(x)), expected, atol=1e-12)
    nothing = centre_of_mass(torch.full((1, 4, 4), -1.0))
    assert (float(nothing.y), float(nothing.x)) == (0, 0)


@pytest.mark.parametrize("size", [(16, 16), (15, 18)])
def test_shift_is_periodic_and_bilinear(size: tuple[int, int]) -> None:
    images = np.random.default_rng(9).normal(size=(2, *size))
    dy, dx = [2.25, -0.5], [-3.6, 0.0]
    moves = [torch.tensor(d, dtype=torch.float64) for d in (dy, dx)]
    got = shift_bilinear(torch.tensor(images), *moves).numpy()
    for image, out, y, x in zip(images, got, dy, dx, strict=True):
        expected = ndimage.shift(image, (y, x), order=1, mode="grid-wrap")
        np.testing.assert_allclose(out, expected, atol=1e-12)


def test_centring_moves_the_density_and_keeps_a_flat_border() -> None:
    y, x = np.mgrid[:32, :32]
    image = np.clip(np.exp(-((y - 13.3) ** 2 + (x - 18.6) ** 2) / 8) - 1e-3, 0, None)
    out = centre(torch.tensor(image[None]))
    moved = centre_of_mass(out)
    assert abs(float(moved.y[0])) < 1e-9 and abs(float(moved.x[0])) < 1e-9
    assert (out[0, :4] == 0).all()
