import numpy as np
import pytest
import torch

from cryoflow.compute.class2d.batching import CPU, chunk_size
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


def test_chunks_fit_into_memory() -> None:
    assert 1 == chunk_size(10**9, CPU) < chunk_size(10**6, CPU) < chunk_size(100, CPU) == CPU.chunk
    assert chunk_size(10**6, CPU) * 4 * 10**6 <= CPU.memory
