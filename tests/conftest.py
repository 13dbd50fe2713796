"""Where the reference data lies, and what happens without it."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, before torch is loaded

# what else runs on the machine does not decide whether a test passes
settings.register_profile("cryoflow", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cryoflow")

REFERENCE = Path(os.environ.get("CRYOFLOW_REFERENCE", Path(__file__).parents[2] / "shared" / "reference"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if REFERENCE.is_dir():
        return
    absent = pytest.mark.skip(reason=f"no reference data at {REFERENCE} (set CRYOFLOW_REFERENCE)")
    for item in items:
        if item.get_closest_marker("reference"):
            item.add_marker(absent)


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder with RELION's output for known inputs (read-only)."""
    return REFERENCE


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let jobs end without a report."""
    monkeypatch.setattr("cryoflow.jobs.registry.draw_pictures", lambda *_: [])
