"""Maps that the points of a sweep share: computed once, kept on disk and, while they fit, in memory."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from torch import Tensor

from cryoflow.compute.pick.candidates import Candidates
from cryoflow.compute.pick.peaks import Gated, Thresholds, gate
from cryoflow.jobs.autopick.map_files import read_maps, write_maps
from cryoflow.jobs.autopick.micrographs import Micrograph
from cryoflow.jobs.autopick.output import Written
from cryoflow.jobs.autopick.picker import Maps, Recipe, Source
from cryoflow.project.context import JobContext
from cryoflow.project.directory import HIDDEN
from cryoflow.project.lock import alone

BUDGET = 2e9
"""Bytes of maps kept in memory by one process, and the same for candidates."""


class PickingCache:
    """Data that picking jobs share in memory, a part of `cryoflow.project.context.SweepCache`.

    Attributes
    ----------
    picks : dict
        As written by a job, by the project-relative file of coordinates, for whoever makes the table of the
        sweep: to read them back takes as long as to write them. Each job drops those of the one before.
    """

    def __init__(self) -> None:
        self.picks: dict[str, Written] = {}
        self._maps: dict[str, Maps] = {}
        self._candidates: dict[str, tuple[float, Candidates]] = {}
        self._gated: dict[tuple[str, int], Gated] = {}
        self._lock = Lock()

    def maps(self, key: str, make: Callable[[], Maps]) -> Maps:
        """Return the maps of a `map_key`, made if they are not in memory."""
        known = self._maps.get(key)
        if known is not None:
            return known
        maps = make()
        with self._lock:
            if sum(map(_size, self._maps.values())) + _size(maps) < BUDGET:
                self._maps[key] = maps
        return maps

    def candidates(self, key: str, floor: float, find: Callable[[], Source]) -> Source:
        """Return candidates from the maps of a `map_key`, found if none are known down to the floor."""
        known_floor, known = self._candidates.get(key, (math.inf, None))
        if known is not None and known_floor <= floor:
            return known
        found = find()
        with self._lock:
            held = sum(_size(candidates) for _, candidates in self._candidates.values())
            if isinstance(found, Candidates) and _size(found) + held <= BUDGET:
                self._candidates[key] = (floor, found)
        return found

    def gated(
        self, group: tuple[str, int], candidates: Candidates, thresholds: Thresholds, among: Tensor | None
    ) -> Gated:
        """Return what `gate` does; points that differ in distance alone, one after the other, share it.

        It is kept while the candidates are: their budget bounds both.

        Parameters
        ----------
        group : (str, int)
            Micrograph and group of references.
        candidates, thresholds, among
            See `cryoflow.compute.pick.peaks.gate`.
        """
        gates = thresholds._replace(least_distance=0)
        if all(kept is not candidates for _, kept in list(self._candidates.values())):
            return gate(candidates, gates, among)
        known = self._gated.get(group)
        if known is None or known.candidates is not candidates or known.gates != gates:
            known = self._gated[group] = gate(candidates, gates, among)
        return known


def map_key(context: JobContext, micrograph: Micrograph, recipe: Recipe) -> str:
    """Hash of all that the maps of a micrograph depend on."""
    stat = context.resolve(micrograph.name).stat()
    everything = [micrograph.name, stat.st_size, stat.st_mtime_ns, recipe.maps, recipe.exact_from]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:16]


def maps_on_disk(
    project: Path, micrograph: Micrograph, recipe: Recipe, key: str, make: Callable[[], Maps]
) -> Maps:
    """Read the maps of a `map_key` that any point of a sweep has left, or make and leave them."""
    path = project / HIDDEN / "maps" / f"{Path(micrograph.stem).name}_{key}.mrcs"
    if path.exists():
        return read_maps(path)
    with alone(path):  # concurrent points of a launcher want the same maps
        if path.exists():
            return read_maps(path)
        maps = make()
        write_maps(path, maps, recipe, micrograph.pixel_size_a)
        return maps


def _size(maps: Maps | Candidates) -> int:
    return sum(part.nbytes for part in maps if isinstance(part, Tensor))
