import numpy as np
import pytest
import torch

from cryoflow.compute.class2d.plan import CPU, chunk_size, plan_blocks
from cryoflow.compute.class2d.weights import significant_threshold


def by_sorting(weights: np.ndarray, fraction: float) -> float:
    heaviest = np.sort(weights.astype(np.float64))[::-1]
    return float(heaviest[np.searchsorted(np.cumsum(heaviest), fraction * heaviest.sum(), side="right")])


@pytest.mark.parametrize("spread", [0.0, 0.01, 1.0, 20.0, 90.0])
@pytest.mark.parametrize("size", [1, 7, 3000, 20001])
def test_threshold_is_that_of_sorting(spread: float, size: int) -> None:
    logs = np.random.default_rng(size).normal(size=(3, size)) * spread
    weights = np.exp(logs - logs.max(1, keepdims=True)).astype(np.float32)
    found = significant_threshold(torch.from_numpy(weights), 0.999).numpy()
    for row, threshold in zip(weights, found, strict=True):
        total, kept = row.sum(dtype=np.float64), row[row >= threshold]
        assert kept.sum(dtype=np.float64) >= 0.999 * total * (1 - 1e-6)
        without_last = kept.sum(dtype=np.float64) - (kept == threshold).sum() * np.float64(threshold)
        assert without_last <= 0.999 * total * (1 + 1e-6)
        if spread > 0.1:
            assert threshold == pytest.approx(by_sorting(row, 0.999), rel=1e-5)


def test_blocks_cover_every_significant_sample_once() -> None:
    significant = torch.rand(37, 5, 2, 40, generator=torch.Generator().manual_seed(1)) > 0.985
    significant[:, 0, 0, 0] = True
    parts = plan_blocks(significant, 300, CPU)
    assert [p.particles.start for p in parts] == [0, *[p.particles.stop for p in parts[:-1]]]
    assert parts[-1].particles.stop == 37
    for part in parts:
        mine = significant[part.particles]
        offsets, rows = mine.any(3).any(2).any(0).nonzero()[:, 0], mine.any(2).any(1).any(0).nonzero()[:, 0]
        assert set(offsets.tolist()) <= set(part.offsets.tolist())
        assert set(rows.tolist()) <= set(part.rows.tolist())
        assert len(part.rows) in (len(rows), 40) and len(part.offsets) in (len(offsets), 5)


def test_much_in_common_makes_long_blocks_and_little_short_ones() -> None:
    alike = torch.ones(32, 21, 2, 300, dtype=torch.bool)
    assert len(plan_blocks(alike, 630, CPU)) <= 16
    different = torch.zeros(32, 21, 2, 32 * 40, dtype=torch.bool)
    for i in range(32):
        different[i, :, :, 40 * i : 40 * (i + 1)] = True
    assert len(plan_blocks(different, 630, CPU)) == 32
    assert 1 <= chunk_size(10**9, 10**6, CPU) < chunk_size(100, 100, CPU) <= CPU.chunk
