import pytest
import torch
from torch import Tensor

from cryoflow.compute.sort import row_cache as distinct
from cryoflow.compute.sort.row_cache import Distinct, distinct_rows


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


@pytest.mark.parametrize("columns", [1, 2, 5])
def test_distinct_rows_are_those_of_torch(columns: int) -> None:
    random = torch.Generator().manual_seed(columns)
    rows = torch.randint(-3, 3, (200, columns), generator=random).double() / 7
    rows[:, 0] = 1.5  # the same in all
    for found, expected in zip(
        distinct_rows(rows), torch.unique(rows, dim=0, return_inverse=True), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
