import numpy as np
import pytest

from cryoflow.files.mrc.moments import BLOCK, Moments


@pytest.mark.parametrize("dtype", ["f4", "i2", "f2"])
def test_moments_are_those_of_all_parts_together(dtype: str) -> None:
    rng = np.random.default_rng(0)
    parts = [(1000 + 20 * rng.normal(size=size)).astype(dtype) for size in (7, (3, BLOCK // 2), 1, (2, 5, 3))]
    found = Moments()
    for part in parts:
        found.add(part)
    every = np.concatenate([part.reshape(-1) for part in parts]).astype(np.float64)
    assert (found.least, found.largest) == (every.min(), every.max())
    assert found.mean == pytest.approx(every.mean(), rel=1e-12)
    assert found.sd == pytest.approx(every.std(), rel=1e-9)


def test_one_number_that_is_none_spoils_all() -> None:
    found = Moments()
    for part in ([1.0, np.nan], [5.0]):
        found.add(np.array(part))
    assert np.isnan([found.least, found.largest, found.mean, found.sd]).all()
