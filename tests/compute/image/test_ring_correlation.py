import numpy as np
import pytest
import torch

from cryoflow.compute.image.ring_correlation import ring_correlation


@pytest.mark.parametrize("box", [12, 13])
def test_rings_of_white_noise_correlate_as_mixed(box: int) -> None:
    """Two images that share a part: point by point over the half-plane."""
    rng = np.random.default_rng(box)
    shared, one, other = rng.normal(size=(3, 2, box, box))
    one, other = shared + 0.5 * one, shared + 0.5 * other
    found = ring_correlation(torch.from_numpy(one), torch.from_numpy(other)).numpy()
    a, b = np.fft.rfft2(one), np.fft.rfft2(other)
    y, x = np.fft.fftfreq(box, 1 / box), np.arange(box // 2 + 1)
    for k in range(2):
        top, left, right = np.zeros((3, box // 2 + 1))
        for i, j in np.ndindex(a.shape[1:]):
            shell = int(np.hypot(y[i], x[j]) + 0.5)
            if shell <= box // 2:
                top[shell] += (a[k, i, j] * b[k, i, j].conjugate()).real
                left[shell] += abs(a[k, i, j]) ** 2
                right[shell] += abs(b[k, i, j]) ** 2
        assert np.allclose(found[k], top / np.sqrt(left * right))
    assert 0.5 < found[:, 2:].mean() < 0.95


def test_what_is_empty_correlates_with_nothing() -> None:
    image = torch.ones(1, 8, 8)
    assert ring_correlation(image, 0 * image).tolist() == [[0.0] * 5]
    assert ring_correlation(image, 2 * image).tolist() == [[1.0, 0, 0, 0, 0]]
