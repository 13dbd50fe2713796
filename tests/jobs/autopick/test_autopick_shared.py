"""Maps, candidates and gates that points of a sweep share."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from cryoflow.compute.pick.candidates import COLUMNS, Candidates
from cryoflow.compute.pick.figure_of_merit import Sampling
from cryoflow.compute.pick.log_blobs import BlobMaps
from cryoflow.compute.pick.peaks import Thresholds, pick_candidates, pick_gated
from cryoflow.jobs.autopick import map_cache
from cryoflow.jobs.autopick.map_cache import PickingCache, map_key, maps_on_disk
from cryoflow.jobs.autopick.micrographs import Micrograph
from cryoflow.jobs.autopick.picker import Recipe
from cryoflow.project.context import JobContext

MICROGRAPH = Micrograph("a.mrc", 1.0, None)
RECIPE = Recipe({"kind": "stand-in"}, {})


def blobs(value: float) -> BlobMaps:
    return BlobMaps(torch.full((4, 4), value), torch.ones(4, 4), Sampling(4, 4, 1.0, 0, 0))


def three_candidates() -> Candidates:
    columns = dict.fromkeys(COLUMNS, torch.zeros(3, dtype=torch.int64))
    columns |= {"row": torch.tensor([0, 0, 9]), "fom": torch.tensor([0.9, 0.8, 0.7])}
    columns |= {"column": torch.tensor([0, 5, 30]), "lowest_neighbour": torch.ones(3)}
    return Candidates(**columns, best=0.9, sampling=Sampling(40, 40, 1.0, 0, 0))


def test_concurrent_points_make_maps_once(tmp_path: Path) -> None:
    (tmp_path / "a.mrc").touch()
    key = map_key(JobContext(tmp_path, tmp_path / "AutoPick/job001"), MICROGRAPH, RECIPE)
    made = []

    def make() -> BlobMaps:
        made.append(len(made))
        time.sleep(0.2)
        return blobs(7.0 + made[-1])

    def point(_: int) -> float:  # without memory in common, as in another process
        return float(maps_on_disk(tmp_path, MICROGRAPH, RECIPE, key, make)[0][0, 0])

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(point, range(3))) == [7.0] * 3
    assert made == [0]
    (folder,) = (tmp_path / ".cryoflow").iterdir()
    assert [path.suffix for path in folder.iterdir()] == [".mrcs"]


@pytest.mark.parametrize(("budget", "made"), [(0, 2), (2e9, 1)])
def test_maps_are_kept_in_memory_within_the_budget(
    monkeypatch: pytest.MonkeyPatch, budget: float, made: int
) -> None:
    monkeypatch.setattr(map_cache, "BUDGET", budget)
    cache, values = PickingCache(), iter((1.0, 2.0))
    for _ in range(2):
        maps = cache.maps("key", lambda: blobs(next(values)))
    assert maps[0][0, 0] == made


def test_candidates_are_found_again_below_their_floor() -> None:
    cache = PickingCache()
    found = [cache.candidates("key", floor, three_candidates) for floor in (0.3, 0.5, 0.2, 0.3)]
    assert found[1] is found[0]
    assert found[2] is not found[0]
    assert found[3] is found[2]


@pytest.mark.parametrize("budget", [0, 2e9])
def test_what_passed_the_gates_is_kept_within_the_budget(
    monkeypatch: pytest.MonkeyPatch, budget: float
) -> None:
    monkeypatch.setattr(map_cache, "BUDGET", budget)
    cache, before = PickingCache(), None
    found = cache.candidates("key", 0.0, three_candidates)
    assert isinstance(found, Candidates)
    for distance in (3, 8):
        thresholds = Thresholds(0.75, distance, 10, 0)
        gated = cache.gated(("a.mrc", 0), found, thresholds, None)
        picks = pick_gated(gated, thresholds)
        assert picks.x.tolist() == pick_candidates(found, thresholds).x.tolist() == [0, 5][: 11 // distance]
        assert (gated is before) == (budget > 0 and distance == 8)
        before = gated
