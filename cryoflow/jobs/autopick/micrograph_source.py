"""The source of one micrograph's picks: computed, read, or shared by other points of a sweep."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from cryoflow.compute.pick.candidates import Candidates
from cryoflow.errors import CryoflowError
from cryoflow.files.fom_maps import has_relion_maps, read_about
from cryoflow.jobs.autopick.candidates_file import read_candidates, write_candidates
from cryoflow.jobs.autopick.map_cache import PickingCache, map_key, maps_on_disk
from cryoflow.jobs.autopick.map_files import read_maps, relion_fom_maps, write_maps
from cryoflow.jobs.autopick.micrograph_files import MicrographFiles
from cryoflow.jobs.autopick.micrographs import Micrograph, read_micrograph
from cryoflow.jobs.autopick.picker import Maps, Picker, Recipe, Source
from cryoflow.project.context import JobContext
from cryoflow.spec import AutoPick


class MicrographSource(NamedTuple):
    """One micrograph, and the settings of its maps and candidates."""

    spec: AutoPick
    context: JobContext
    picker: Picker
    references: int
    """Number of references; 0 for blobs."""
    micrograph: Micrograph
    recipe: Recipe
    files: MicrographFiles

    def known_candidates(self) -> Candidates | None:
        """Candidates of an earlier run of this job that differs in gates only."""
        if self.files.candidates is None or self.recipe.floor is None:
            return None
        if self.spec.autopicking.write_fom_maps and not self._has_written_maps():
            return None
        return read_candidates(self.files.candidates, self._made_from(), self.recipe.floor)

    def make(self) -> Source:
        """Compute or read what picks are chosen from; writes maps and candidates as the spec wants."""
        maps = self._maps()
        if self.spec.autopicking.write_fom_maps:
            write_maps(self.files.maps, maps, self.recipe, self.micrograph.pixel_size_a)
        source, floor = self._candidates(maps), self.recipe.floor
        if isinstance(source, Candidates) and self.files.candidates is not None and floor is not None:
            write_candidates(self.files.candidates, source, self._made_from(), floor)
        return source

    def file_state(self) -> dict[str, int]:
        """Size and time of the micrograph's file; both change with its pixels."""
        stat = self.context.resolve(self.micrograph.name).stat()
        return {"bytes": stat.st_size, "time": stat.st_mtime_ns}

    def _maps(self) -> Maps:
        if self.spec.autopicking.read_fom_maps:
            return self._read()
        if self.context.cache is None:
            return self._computed()
        key = map_key(self.context, self.micrograph, self.recipe)
        make = partial(maps_on_disk, self.context.project, self.micrograph, self.recipe, key, self._computed)
        return self.context.cache.part(PickingCache).maps(key, make)

    def _computed(self) -> Maps:
        return self.picker.compute(self.micrograph, read_micrograph(self.context, self.micrograph))

    def _read(self) -> Maps:
        """Maps written by an earlier run of this job, or by RELION."""
        files = self.files
        if files.maps.exists():
            return read_maps(files.maps)
        if has_relion_maps(files.stem):
            return relion_fom_maps(self.spec, self.context, self.micrograph, files.stem, self.references)
        name = self.context.relative(files.maps)
        raise CryoflowError(f"no FOM maps at {name}; run the job with 'Write FOM maps?' Yes first")

    def _candidates(self, maps: Maps) -> Source:
        find = partial(self.picker.candidates, self.micrograph, maps)
        if self.context.cache is None or self.recipe.floor is None:
            return find()
        key = map_key(self.context, self.micrograph, self.recipe)
        return self.context.cache.part(PickingCache).candidates(key, self.recipe.floor, find)

    def _has_written_maps(self) -> bool:
        path = self.files.maps
        return path.exists() and read_about(path).get("settings") == self.recipe.maps

    def _made_from(self) -> dict[str, Any]:
        return {"settings": self.recipe.maps, **self.file_state()}
