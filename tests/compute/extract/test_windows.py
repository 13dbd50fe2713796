import numpy as np
import pytest
import torch

from cryoflow.compute.extract.windows import corners, cut, touching


def by_slicing(image: np.ndarray, y: float, x: float, size: int) -> np.ndarray:
    padded = np.pad(image, 2 * size, mode="edge")
    y0, x0 = int(y) + 2 * size - size // 2, int(x) + 2 * size - size // 2
    return padded[y0 : y0 + size, x0 : x0 + size]


@pytest.mark.parametrize("size", [8, 7])
def test_windows_are_slices_of_the_edge_padded_micrograph(size: int) -> None:
    image = np.random.default_rng(0).normal(size=(19, 26))
    y = np.array([9.9, 0.2, -0.7, 18.99, 21.5, -3.5])
    x = np.array([12.0, 25.9, -3.2, 0.0, 13.0, 28.0])
    begin = corners(torch.tensor(y), torch.tensor(x), size)
    assert touching(begin, size, *image.shape).all()
    windows = cut(torch.tensor(image), begin, size, torch.float64).numpy()
    for window, row, column in zip(windows, y, x, strict=True):
        np.testing.assert_array_equal(window, by_slicing(image, row, column, size))


def test_position_lies_on_the_centre_pixel() -> None:
    image = torch.zeros(30, 20)
    image[17, 11] = 1
    begin = corners(torch.tensor([17.8]), torch.tensor([11.3]), 6)
    window = cut(image, begin, 6, torch.float32)[0]
    assert window[3, 3] == 1 and window.sum() == 1


@pytest.mark.parametrize("size", [8, 7])
def test_touching_agrees_with_pixel_sets(size: int) -> None:
    height, width = 10, 12
    y, x = torch.meshgrid(torch.arange(-12.0, 24), torch.arange(-12.0, 26), indexing="ij")
    begin = corners(y.flatten(), x.flatten(), size)
    expected = [
        bool(set(range(y0, y0 + size)) & set(range(height)))
        and bool(set(range(x0, x0 + size)) & set(range(width)))
        for y0, x0 in zip(begin.y.tolist(), begin.x.tolist(), strict=True)
    ]
    assert touching(begin, size, height, width).tolist() == expected


@pytest.mark.parametrize("stored", ["i1", "i2", "u2", "f2", "f4", "f8"])
def test_windows_are_of_the_wanted_type_whatever_the_micrograph_is_of(stored: str) -> None:
    image = np.random.default_rng(1).integers(0, 100, (20, 30)).astype(stored)
    y, x = np.array([10.0, 1.0]), np.array([12.0, 29.0])  # inside, and at a corner
    begin = corners(torch.tensor(y), torch.tensor(x), 8)
    windows = cut(torch.from_numpy(image), begin, 8, torch.float32)
    assert windows.dtype == torch.float32
    for window, row, column in zip(windows.numpy(), y, x, strict=True):
        np.testing.assert_array_equal(window, by_slicing(image, row, column, 8))
