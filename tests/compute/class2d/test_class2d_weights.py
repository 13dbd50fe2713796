import numpy as np
import pytest
import torch

from cryoflow.compute.class2d.plan import CPU, chunk_size
from cryoflow.compute.class2d.weights import negligible


@pytest.mark.parametrize("spread", [0.0, 0.01, 1.0, 20.0, 90.0])
@pytest.mark.parametrize("size", [1, 7, 3000, 20001])
def test_kept_are_the_heaviest_and_few_more_than_needed(spread: float, size: int) -> None:
    logs = np.random.default_rng(size).normal(size=(3, size)) * spread
    weights = np.exp(logs - logs.max(1, keepdims=True)).astype(np.float32)
    light = negligible(torch.from_numpy(weights), 0.999).numpy()
    for row, dropped in zip(weights, light, strict=True):
        total, lightest = row.sum(dtype=np.float64), row[~dropped].min()
        assert row[~dropped].sum(dtype=np.float64) >= 0.999 * total * (1 - 1e-6)
        assert not dropped.any() or row[dropped].max() <= lightest
        assert row[row >= lightest * 1.003].sum(dtype=np.float64) <= 0.999 * total * (1 + 1e-6)


def test_chunks_fit_into_memory() -> None:
    assert 1 == chunk_size(10**9, CPU) < chunk_size(10**6, CPU) < chunk_size(100, CPU) == CPU.chunk
    assert chunk_size(10**6, CPU) * 4 * 10**6 <= CPU.memory
