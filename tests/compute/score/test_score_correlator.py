import numpy as np
import pytest
import torch

from cryoflow.compute.score.correlator import correlator


@pytest.mark.parametrize(("height", "width", "n"), [(17, 22, 6), (22, 13, 8)])
def test_sums_are_those_of_loops_and_wrap_around(height: int, width: int, n: int) -> None:
    rng = np.random.default_rng(3)
    image, kernels = rng.normal(size=(height, width)), rng.normal(size=(2, n, n))
    kernels[:, 0] = kernels[:, :, 0] = 0  # what lies opposite no other pixel
    turned = np.zeros_like(kernels)
    turned[:, 1:, 1:] = kernels[:, :0:-1, :0:-1]
    expected = np.zeros((2, 2, height, width))
    for dy in range(-(n // 2), n - n // 2):
        for dx in range(-(n // 2), n - n // 2):
            moved = np.roll(image, (-dy, -dx), (0, 1))
            for which, kernel in enumerate((kernels, turned)):
                expected[which] += kernel[:, dy + n // 2, dx + n // 2, None, None] * moved
    around = correlator(torch.from_numpy(image), n)
    sums = around.opposite_sums(torch.from_numpy(kernels))
    np.testing.assert_allclose(sums[0], expected[0], atol=1e-10)
    np.testing.assert_allclose(sums[1], expected[1], atol=1e-10)
    np.testing.assert_allclose(around.sums(torch.from_numpy(kernels[1])), expected[0, 1], atol=1e-10)
