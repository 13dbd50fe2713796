import pytest
import torch
from torch import Tensor

from cryoflow.compute import distinct
from cryoflow.compute.distinct import Distinct


@pytest.mark.parametrize("kept", [True, False])
def test_values_are_those_of_the_rows_and_computed_once(kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = torch.tensor([[2.0, 1], [0, 5], [2, 1], [-1, 3], [0, 5], [2, 1]], dtype=torch.float64)
    asked: list[int] = []

    def product(some: Tensor) -> Tensor:
        asked.append(len(some))
        return some[:, :1] * some[:, 1:] * torch.ones(1, 3)

    monkeypatch.setattr(distinct, "AT_ONCE", 2)
    monkeypatch.setattr(distinct, "KEPT_BYTES", 3 * 24 if kept else 3 * 24 - 1)
    values = Distinct(product, rows, 24)
    assert values[1:6].tolist() == [[product] * 3 for product in (0.0, 2.0, -3.0, 0.0, 2.0)]
    assert values[0:3].tolist() == [[product] * 3 for product in (2.0, 0.0, 2.0)]
    assert asked == ([2, 1] if kept else [3, 2])
