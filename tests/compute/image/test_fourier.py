import pytest
import torch

from cryoflow.compute.image import fourier


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
