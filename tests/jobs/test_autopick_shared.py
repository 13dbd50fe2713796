"""Maps that points of a sweep share."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cryoflow.compute.correlate import Sampling
from cryoflow.files.fom_maps import StoredMaps
from cryoflow.jobs.autopick.micrographs import Micrograph
from cryoflow.jobs.autopick.shared import SharedMaps
from cryoflow.project.context import JobContext


class Maps(NamedTuple):
    """A stand-in: one number."""

    value: float
    sampling: Sampling = Sampling(4, 4, 1.0, 0, 0)


class Picker:
    """Stores the number."""

    def settings(self, _: Micrograph) -> dict[str, Any]:
        return {"kind": "stand-in"}

    def store(self, maps: Maps) -> StoredMaps:
        return StoredMaps(np.full((1, 4, 4), maps.value, np.float32), {})

    def restore(self, stored: StoredMaps) -> Maps:
        return Maps(float(stored.maps[0, 0, 0]))


def test_points_begun_at_the_same_time_make_maps_once(tmp_path: Path) -> None:
    (tmp_path / "a.mrc").touch()
    micrograph = Micrograph("a.mrc", "a", 1.0, None)
    made = []

    def make() -> Any:
        made.append(len(made))
        time.sleep(0.2)
        return Maps(7.0 + made[-1])

    def point(_: int) -> Any:  # with a memory of its own, as another process has
        shared = SharedMaps(JobContext(tmp_path, tmp_path / "AutoPick/job001", kept={}))
        return shared.get(micrograph, Picker(), make)  # type: ignore[arg-type]

    with ThreadPoolExecutor(3) as pool:
        assert [maps.value for maps in pool.map(point, range(3))] == [7.0] * 3
    assert made == [0]
    (folder,) = (tmp_path / ".cryoflow").iterdir()
    assert [path.suffix for path in folder.iterdir()] == [".mrcs"]
