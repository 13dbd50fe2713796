"""Maps that points of a sweep share."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from cryoflow.compute.pick.candidates import COLUMNS, Candidates
from cryoflow.compute.pick.figure_of_merit import Sampling
from cryoflow.compute.pick.peaks import Thresholds, pick_candidates, pick_gated
from cryoflow.files.fom_maps import StoredMaps
from cryoflow.jobs.autopick import map_cache as shared_module
from cryoflow.jobs.autopick.map_cache import PickingCache, SharedMaps
from cryoflow.jobs.autopick.micrographs import Micrograph
from cryoflow.project.context import JobContext


class Maps(NamedTuple):
    """A stand-in: one number."""

    value: float
    sampling: Sampling = Sampling(4, 4, 1.0, 0, 0)


class Picker:
    """Stores the number; finds three candidates."""

    floor = 0.0
    exact_from: float | None = None

    def settings(self, _: Micrograph) -> dict[str, Any]:
        return {"kind": "stand-in"}

    def store(self, maps: Maps) -> StoredMaps:
        return StoredMaps(np.full((1, 4, 4), maps.value, np.float32), {})

    def restore(self, stored: StoredMaps) -> Maps:
        return Maps(float(stored.maps[0, 0, 0]))

    def candidates(self, _: Micrograph, maps: Maps) -> Candidates:
        columns = dict.fromkeys(COLUMNS, torch.zeros(3, dtype=torch.int64))
        columns |= {"row": torch.tensor([0, 0, 9]), "fom": torch.tensor([0.9, 0.8, 0.7])}
        columns |= {"column": torch.tensor([0, 5, 30]), "lowest_neighbour": torch.ones(3)}
        return Candidates(**columns, best=0.9, sampling=Sampling(40, 40, 1.0, 0, 0))


def test_points_begun_at_the_same_time_make_maps_once(tmp_path: Path) -> None:
    (tmp_path / "a.mrc").touch()
    micrograph = Micrograph("a.mrc", 1.0, None)
    made = []

    def make() -> Any:
        made.append(len(made))
        time.sleep(0.2)
        return Maps(7.0 + made[-1])

    def point(_: int) -> Any:  # with a memory of its own, as another process has
        shared = SharedMaps(JobContext(tmp_path, tmp_path / "AutoPick/job001"), PickingCache())
        return shared.get(micrograph, Picker(), make)  # type: ignore[arg-type]

    with ThreadPoolExecutor(3) as pool:
        assert [maps.value for maps in pool.map(point, range(3))] == [7.0] * 3
    assert made == [0]
    (folder,) = (tmp_path / ".cryoflow").iterdir()
    assert [path.suffix for path in folder.iterdir()] == [".mrcs"]


@pytest.mark.parametrize("budget", [0, 2e9])
def test_what_passed_the_gates_is_kept_within_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget: float
) -> None:
    monkeypatch.setattr(shared_module, "BUDGET", budget)
    (tmp_path / "a.mrc").touch()
    micrograph, picker = Micrograph("a.mrc", 1.0, None), Picker()
    shared = SharedMaps(JobContext(tmp_path, tmp_path / "AutoPick/job001"), PickingCache())
    found = shared.candidates(micrograph, picker, Maps(0.0))  # type: ignore[arg-type]
    assert found is not None
    before = None
    for distance in (3, 8):
        thresholds = Thresholds(0.75, distance, 10, 0)
        gated = shared.gated(micrograph, picker, found, thresholds, 0, None)  # type: ignore[arg-type]
        picks = pick_gated(gated, thresholds)
        assert picks.x.tolist() == pick_candidates(found, thresholds).x.tolist() == [0, 5][: 11 // distance]
        assert (gated is before) == (budget > 0 and distance == 8)
        before = gated
