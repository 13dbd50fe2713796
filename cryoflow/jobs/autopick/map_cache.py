"""Maps that the points of a sweep share: worked out once, kept on disk and, while they fit, in memory."""

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
from cryoflow.files.fom_maps import read_fom_maps, write_fom_maps
from cryoflow.jobs.autopick.micrographs import Micrograph
from cryoflow.jobs.autopick.output import Written
from cryoflow.jobs.autopick.picker import Maps, Picker
from cryoflow.project.context import JobContext
from cryoflow.project.directory import HIDDEN
from cryoflow.project.lock import alone

BUDGET = 2e9
"""Bytes of maps kept in memory by one process."""


class PickingCache:
    """What picking jobs share in memory, a part of `cryoflow.project.context.SweepCache`.

    Attributes
    ----------
    maps : dict
        By what they were made from.
    candidates : dict
        Candidates and the floor they go down to, by what their maps were made from.
    gated : dict
        Of the point before, by micrograph and group of references.
    picks : dict
        As written by a job, by the project-relative file of coordinates, for whoever makes the table of the
        sweep: to read them back takes as long as to write them. Each job drops those of the one before.
    lock : Lock
        Held while the budget of maps is looked at.
    """

    def __init__(self) -> None:
        self.maps: dict[str, Maps] = {}
        self.candidates: dict[str, tuple[float, Candidates]] = {}
        self.gated: dict[tuple[str, int], Gated] = {}
        self.picks: dict[str, Written] = {}
        self.lock = Lock()


class SharedMaps:
    """Maps, candidates and what passed the gates, taken from a cache or put there."""

    def __init__(self, context: JobContext, cache: PickingCache) -> None:
        self._context = context
        self._folder = context.project / HIDDEN / "maps"
        self._cache = cache

    def get(self, micrograph: Micrograph, picker: Picker, make: Callable[[], Maps]) -> Maps:
        """Return the maps of a micrograph, made if they are not there yet."""
        key = self._key(micrograph, picker)
        if key in self._cache.maps:
            return self._cache.maps[key]
        path = self._folder / f"{Path(micrograph.stem).name}_{key}.mrcs"
        maps = _stored(path, picker)
        if maps is None:
            with alone(path):  # points that a launcher has begun at the same time want the same maps
                maps = _stored(path, picker) or _made(path, micrograph, picker, make)
        with self._cache.lock:
            if sum(map(_size, list(self._cache.maps.values()))) + _size(maps) < BUDGET:
                self._cache.maps[key] = maps
        return maps

    def candidates(self, micrograph: Micrograph, picker: Picker, maps: Maps) -> Candidates | None:
        """Return the candidates in the maps of a micrograph, found if none are known down to the floor."""
        key = self._key(micrograph, picker)
        floor, known = self._cache.candidates.get(key, (math.inf, None))
        if known is None or floor > picker.floor:
            known = picker.candidates(micrograph, maps)
            if (
                known is None
                or _size(known) + sum(_size(of) for _, of in list(self._cache.candidates.values())) > BUDGET
            ):
                return known
            self._cache.candidates[key] = (picker.floor, known)
        return known

    def gated(
        self,
        micrograph: Micrograph,
        picker: Picker,
        candidates: Candidates,
        thresholds: Thresholds,
        group: int,
        among: Tensor | None,
    ) -> Gated:
        """Return what `gate` does; points that differ in distance alone, one after the other, share it.

        It is kept where the candidates are: their budget bounds both.
        """
        gates = thresholds._replace(least_distance=0)
        _, kept = self._cache.candidates.get(self._key(micrograph, picker), (math.inf, None))
        if kept is not candidates:
            return gate(candidates, gates, among)
        known = self._cache.gated.get((micrograph.name, group))
        if known is None or known.candidates is not candidates or known.gates != gates:
            known = self._cache.gated[micrograph.name, group] = gate(candidates, gates, among)
        return known

    def _key(self, micrograph: Micrograph, picker: Picker) -> str:
        stat = self._context.resolve(micrograph.name).stat()
        made_from = [picker.settings(micrograph), picker.exact_from]
        everything = [micrograph.name, stat.st_size, stat.st_mtime_ns, *made_from]
        return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:16]


def _stored(path: Path, picker: Picker) -> Maps | None:
    return picker.restore(read_fom_maps(path)) if path.exists() else None


def _made(path: Path, micrograph: Micrograph, picker: Picker, make: Callable[[], Maps]) -> Maps:
    maps = make()
    stored = picker.store(maps)
    stored.about["settings"] = picker.settings(micrograph)
    write_fom_maps(path, stored, micrograph.pixel_size_a * maps.sampling.spacing)
    return maps


def _size(maps: Maps | Candidates) -> int:
    return sum(part.nbytes for part in maps if isinstance(part, Tensor))
