import numpy as np
import torch

from cryoflow.compute.select.image_statistics import moments, ordinary


def test_moments_agree_with_numpy() -> None:
    images = np.random.default_rng(0).normal(5, 3, size=(4, 7, 10)).astype(np.float32)
    found = moments(torch.tensor(images))
    np.testing.assert_allclose(found.mean.numpy(), images.astype(float).mean((1, 2)), rtol=1e-12)
    np.testing.assert_allclose(found.sd.numpy(), images.astype(float).std((1, 2)), rtol=1e-12)


def test_ordinary_values_lie_within_sigma() -> None:
    values = np.concatenate([np.random.default_rng(1).normal(size=200), [9.0, -8.0]])
    kept = ordinary(torch.tensor(values), 4).numpy()
    np.testing.assert_array_equal(kept, np.abs(values - values.mean()) < 4 * values.std())
    assert not kept[-2:].any()
    assert ordinary(torch.full((5,), 0.1, dtype=torch.float64), 1).all()


def test_values_at_sigma_are_left_out() -> None:
    """Of -1 and 1, each lies just one standard deviation from the mean."""
    values = torch.tensor([-1.0, 1.0, -1.0, 1.0], dtype=torch.float64)
    assert not ordinary(values, 1).any()
    assert ordinary(values, 1 + 1e-12).all()
