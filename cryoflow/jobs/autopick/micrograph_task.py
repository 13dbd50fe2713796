"""One micrograph: picked from, or skipped where an earlier run has done it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from cryoflow.errors import CryoflowError, FileError, MachineError
from cryoflow.files.star import StarStyle
from cryoflow.jobs.autopick.map_cache import PickingCache
from cryoflow.jobs.autopick.micrograph_files import files_of
from cryoflow.jobs.autopick.micrograph_source import MicrographSource
from cryoflow.jobs.autopick.micrographs import Micrograph
from cryoflow.jobs.autopick.output import Finished, Picked, Written, picked_before, write_coordinates
from cryoflow.jobs.autopick.picker import Found, Picker, Recipe
from cryoflow.jobs.autopick.q_values import competition_file, write_competition
from cryoflow.jobs.autopick.statistics import Statistics, statistics_of
from cryoflow.project.context import Failure, JobContext
from cryoflow.spec import AutoPick


class Work(NamedTuple):
    """Everything needed to pick a micrograph."""

    spec: AutoPick
    context: JobContext
    picker: Picker
    references: int
    """Number of references; 0 for blobs."""
    style: StarStyle
    finished: Finished

    def do(self, micrograph: Micrograph, recipe: Recipe) -> Picked | Failure:
        """Pick from one micrograph and write its coordinates; what goes wrong with it alone is a failure."""
        try:
            files = files_of(self.spec, self.context, micrograph, recipe)
            source = MicrographSource(*self[:4], micrograph, recipe, files)
            fingerprint = self._fingerprint(source)
            return self._finished_before(source, fingerprint) or self._pick(source, fingerprint)
        except MachineError:
            raise
        except FileError as error:
            # a failure names its micrograph already
            own = error.path in (micrograph.name, str(self.context.project / micrograph.name))
            return Failure(micrograph.name, error.message if own else str(error))
        except CryoflowError as error:
            return Failure(micrograph.name, str(error))

    def _pick(self, source: MicrographSource, fingerprint: str) -> Picked:
        """Pick, from the candidates of an earlier run if there are any."""
        found = self.picker.pick(source.micrograph, source.known_candidates() or source.make())
        written = self._write(source.files.coordinates, found)
        self.finished.add(source.micrograph.name, fingerprint)
        statistics = _statistics(source, found)
        return self._picked(source, len(found.picks.x), written.mean_fom, found.best, statistics)

    def _write(self, path: Path, found: Found) -> Written:
        if found.competitions:
            write_competition(competition_file(path), found.competitions)
        written = write_coordinates(path, found.picks, self.style)
        if self.context.cache is not None:
            self.context.cache.part(PickingCache).picks[self.context.relative(path)] = written
        return written

    def _finished_before(self, source: MicrographSource, fingerprint: str) -> Picked | None:
        """Result of an earlier run of this job with the same settings."""
        if not self.finished.has(source.micrograph.name, fingerprint):
            return None
        if not all(path.exists() for path in source.files.outputs):
            return None
        statistics = None
        if (known := source.known_candidates()) is not None:
            statistics = _statistics(source, self.picker.pick(source.micrograph, known))
        count, mean = picked_before(source.files.coordinates)
        return self._picked(source, count, mean, None, statistics)._replace(kept=True)

    def _fingerprint(self, source: MicrographSource) -> str:
        """Hash of all that the coordinates of a micrograph depend on; a changed file counts as another."""
        read = self.spec.autopicking.read_fom_maps
        state: dict[str, Any] = {"read_fom_maps": read} | ({} if read else source.file_state())
        everything = [source.recipe.maps, source.recipe.gates, state, self.style]
        return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:16]

    def _picked(
        self, source: MicrographSource, count: int, mean: float, best: float | None, about: Statistics | None
    ) -> Picked:
        names = tuple(self.context.relative(path) for path in source.files.outputs)
        return Picked(source.micrograph.name, names, count, mean, best, statistics=about)


def _statistics(source: MicrographSource, found: Found) -> Statistics | None:
    """Only if they can be recomputed, from candidates, for a skipped micrograph."""
    return None if source.files.candidates is None else statistics_of(found)
