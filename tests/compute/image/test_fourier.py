import numpy as np
import pytest
import torch

from cryoflow.compute.image import fourier


def direct_transform(image: np.ndarray, y: float, x: float, ky: float, kx: float) -> complex:
    """Sum over pixels of an image about the point (y, x), frequencies in cycles per pixel."""
    rows, columns = np.indices(image.shape)
    return complex((image * np.exp(-2j * np.pi * (ky * (rows - y) + kx * (columns - x)))).sum())


@pytest.mark.parametrize(
    ("old", "new"), [((12, 16), (8, 10)), ((11, 15), (7, 9)), ((9, 8), (12, 13)), ((10, 7), (9, 12))]
)
def test_resize_keeps_the_centre_and_the_grey_values(old: tuple[int, int], new: tuple[int, int]) -> None:
    image = torch.tensor(np.random.default_rng(0).normal(size=old))
    small = fourier.resize(image, *new).numpy()
    assert small.shape == new
    assert small.mean() == pytest.approx(float(image.mean()))
    # frequencies that both images hold have the same coefficient about the centre, per pixel; k in 1/box
    for a, b in [(0, 1), (1, 2), (-2, 3), (3, 0)]:
        before = (
            direct_transform(image.numpy(), old[0] // 2, old[1] // 2, a / old[0], b / old[1]) / image.numel()
        )
        after = direct_transform(small, new[0] // 2, new[1] // 2, a / new[0], b / new[1]) / small.size
        assert after == pytest.approx(before, abs=1e-12)


def test_shift_phases_move_content_to_larger_indices() -> None:
    image = torch.zeros(7, 10, dtype=torch.float64)
    image[2, 3] = 1
    phases = fourier.shift_phases(7, 10, torch.tensor([1.0, -2.0]), torch.tensor([4.0, 1.0]), image)
    moved = torch.fft.irfft2(torch.fft.rfft2(image) * phases, s=(7, 10))
    assert moved[0].argmax() == 3 * 10 + 7
    assert moved[1].argmax() == 0 * 10 + 4
    assert moved.amax(dim=(-2, -1)) == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize(("minimum", "size"), [(1, 2), (7, 8), (340, 360), (721, 750), (724, 750), (64, 64)])
def test_good_size(minimum: int, size: int) -> None:
    assert fourier.good_size(minimum) == size


def test_lowpass_is_half_at_the_cutoff_and_sharp_without_an_edge() -> None:
    radius = torch.tensor([0.0, 0.19, 0.2, 0.25, 0.3, 0.31, 0.5])
    soft = fourier.lowpass_mask(radius, 0.25, 0.1)
    assert soft.tolist() == pytest.approx([1, 1, 1, 0.5, 0, 0, 0], abs=1e-6)
    assert fourier.lowpass_mask(radius, 0.25, 0).tolist() == [1, 1, 1, 1, 0, 0, 0]
    assert (soft + fourier.highpass_mask(radius, 0.25, 0.1)).tolist() == pytest.approx([1.0] * 7)
