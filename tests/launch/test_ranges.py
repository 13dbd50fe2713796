"""Ranges in overrides that would list values without end."""

import time

import pytest

from cryoflow.errors import SpecError
from cryoflow.launch.overrides import hydra_override, values


@pytest.mark.parametrize("text", ["range(0,1,1e-9)", "range(0,1e18)", "range(1,0,-1e-12)"])
def test_endless_ranges_are_refused_at_once(text: str) -> None:
    start = time.process_time()
    with pytest.raises(SpecError, match="at most 100000 values"):
        values(hydra_override(f"autopicking.picking_threshold={text}"))
    assert time.process_time() - start < 5


def test_ranges_are_as_before() -> None:
    assert values(hydra_override("a.b=range(0,0.3,0.1)")) == ["a.b=0.0", "a.b=0.1", "a.b=0.2"]
    assert values(hydra_override("a.b=range(3)")) == ["a.b=0", "a.b=1", "a.b=2"]
    assert values(hydra_override("a.b=1,2")) == ["a.b=1", "a.b=2"]
