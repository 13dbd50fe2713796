import numpy as np
import pytest
import torch

from cryoflow.compute.class2d.batching import CPU, chunk_size
from cryoflow.compute.class2d.e_step.posterior import normalise_posterior
from cryoflow.compute.class2d.e_step.significant import heaviest


@pytest.mark.parametrize("spread", [0.0, 0.01, 1.0, 20.0, 90.0])
@pytest.mark.parametrize("size", [1, 7, 3000, 20001])
def test_kept_are_the_heaviest_and_few_more_than_needed(spread: float, size: int) -> None:
    logs = (np.random.default_rng(size).normal(size=(3, size)) * spread - 40).astype(np.float32)
    weights = np.exp(logs.astype(np.float64) - logs.max(1, keepdims=True))
    for row, kept in zip(weights, heaviest(torch.from_numpy(logs), 0.999).numpy(), strict=True):
        total, lightest = row.sum(), row[kept].min()
        assert row[kept].sum() >= 0.999 * total * (1 - 1e-6)
        assert kept.all() or row[~kept].max() <= lightest
        assert row[row >= lightest * 1.003].sum() <= 0.999 * total * (1 + 1e-6)


@pytest.mark.parametrize(("fraction", "kept"), [(0.9, 3), (0.75, 2), (0.999, 5), (1.0, 5)])
def test_lightest_rows_that_together_carry_too_little_are_left_out(fraction: float, kept: int) -> None:
    """Weights 0.5, 0.29, 0.16, 0.04 and 0.01 in another order; a row is its best sample times its mass."""
    share = np.array([0.04, 0.5, 0.01, 0.16, 0.29])
    mass = np.array([2.0, 1.0, 5.0, 1.0, 4.0])
    top = np.log(share / mass) - 700  # of which exp is beyond single precision
    rows = (torch.from_numpy(values)[None] for values in (top, mass))
    found = normalise_posterior(*rows, fraction)
    heavy = np.argsort(-share)[:kept]
    expected = np.zeros(5)
    expected[heavy] = (share / mass)[heavy]
    np.testing.assert_allclose(found.factor[0], expected, rtol=1e-9)
    assert int(found.best) == 1
    np.testing.assert_allclose(found.log_evidence, -700, rtol=1e-12)
    np.testing.assert_allclose(found.total, 2.0, rtol=1e-9)  # the best sample has half of the weight


def test_chunks_fit_into_memory() -> None:
    assert 1 == chunk_size(10**9, CPU) < chunk_size(10**6, CPU) < chunk_size(100, CPU) == CPU.chunk
    assert chunk_size(10**6, CPU) * 4 * 10**6 <= CPU.memory
