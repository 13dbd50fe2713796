"""The sign of the best fits tells whether contrast is set rightly."""

import math

import pytest
import torch

from cryoflow.compute.pick.contrast import contrast_ratio


def blob(n: int, radius: float) -> torch.Tensor:
    axis = torch.arange(n) - (n - 1) / 2
    return (torch.hypot(axis[:, None], axis[None, :]) < radius).float()


def scene(side: tuple[int, int], sign: float, noise: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    image = noise * torch.randn(side, generator=generator)
    for y in range(20, side[0] - 60, 90):
        for x in range(30, side[1] - 60, 110):
            image[y : y + 40, x : x + 40] += sign * blob(40, 15)
    return image


@pytest.mark.parametrize("side", [(600, 700), (501, 903)])
@pytest.mark.parametrize("noise", [0.5, 4.0])
def test_right_and_wrong_are_told_apart(side: tuple[int, int], noise: float) -> None:
    references = torch.stack([blob(32, 7.5), blob(32, 6.5)])  # of pixels twice as large
    dark = scene(side, -1.0, noise)
    right, wrong = (contrast_ratio(dark, sign * references, 2.0, 4.0) for sign in (-1, 1))
    assert right > 1.2 and wrong < 1 / 1.2
    assert right * wrong == pytest.approx(1, rel=1e-4)
    assert contrast_ratio(5000 - 30 * dark, references, 2.0, 4.0) == pytest.approx(right, rel=1e-4)


def test_noise_tells_nothing() -> None:
    ratio = contrast_ratio(scene((600, 700), 0.0, 1.0), blob(32, 7.5)[None], 2.0, 4.0)
    assert abs(math.log(ratio)) < 0.1
    assert math.isnan(contrast_ratio(scene((80, 100), 1.0, 1.0), blob(32, 7.5)[None], 2.0, 4.0))
