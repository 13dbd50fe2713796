import numpy as np
import pytest
import torch

from cryoflow.compute.select import duplicates
from cryoflow.compute.select.duplicates import duplicated


@pytest.mark.parametrize("block", [2048, 7])
def test_earlier_of_each_close_pair_is_marked(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "BLOCK", block)
    y, x = np.random.default_rng(7).integers(0, 40, size=(2, 100)).astype(float)
    expected = [
        any((y[i] - y[j]) ** 2 + (x[i] - x[j]) ** 2 <= 9 for j in range(i + 1, 100)) for i in range(100)
    ]
    assert 5 < sum(expected) < 95
    assert duplicated(torch.tensor(y), torch.tensor(x), 3).tolist() == expected


def test_the_last_of_a_chain_stays_and_the_distance_itself_counts() -> None:
    y = torch.zeros(4)
    assert duplicated(y, torch.tensor([0.0, 3.0, 6.0, 20.0]), 3).tolist() == [True, True, False, False]
    assert duplicated(y[:0], y[:0], 3).tolist() == []
