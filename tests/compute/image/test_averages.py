"""Averages against constructions: how alike they are, and where their signal lies in a mask."""

import numpy as np
import pytest
import torch

from cryoflow.compute.image.averages import median_correlation, radial_profile

N = 64
Y, X = np.mgrid[:N, :N] - N // 2
R = np.hypot(Y, X)


def discs(*radii: float) -> torch.Tensor:
    return torch.from_numpy(np.stack([(radius > R).astype(float) for radius in radii]))


def test_correlation_is_numpys_of_the_pixels_within_the_disc() -> None:
    images = np.random.default_rng(0).normal(size=(5, N, N)) + R / 20
    found = np.corrcoef(images[:, R <= 20])[np.triu_indices(5, 1)]
    middle = np.quantile(found, 0.5, method="lower")
    assert median_correlation(torch.from_numpy(images), 20) == pytest.approx(middle, abs=1e-12)
    assert median_correlation(discs(10, 10, 10), 20) == pytest.approx(1)


@pytest.mark.parametrize("radius", [5.0, 10.0, 15.0])
def test_signal_reaches_to_the_edge_of_a_disc(radius: float) -> None:
    found = radial_profile(discs(radius), torch.ones(1), 20.0)
    assert found.half_radius == pytest.approx(radius / 20, abs=0.06)
    assert found.edge == pytest.approx(0, abs=0.01)


def test_a_mask_within_the_particle_has_a_bright_edge() -> None:
    assert radial_profile(discs(25), torch.ones(1), 20.0).edge == pytest.approx(1)
    cone = torch.from_numpy(np.clip(1 - R / 40, 0, None))[None]
    assert radial_profile(cone, torch.ones(1), 20.0).edge == pytest.approx(1 - 19 / 40, abs=0.05)


def test_shares_weight_the_averages() -> None:
    both = discs(5, 25)
    assert radial_profile(both, torch.tensor([1.0, 0.0]), 20.0) == radial_profile(
        both[:1], torch.ones(1), 20.0
    )
    assert radial_profile(both, torch.tensor([3.0, 1.0]), 20.0).edge == pytest.approx(0.25, abs=0.01)


def test_noise_has_no_edge() -> None:
    rng = np.random.default_rng(1)
    noise = torch.from_numpy(rng.normal(size=(8, N, N)))
    assert radial_profile(noise, torch.ones(8), 20.0).edge == 0
