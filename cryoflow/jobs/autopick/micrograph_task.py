"""One micrograph: maps computed or read, picks, files."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from cryoflow.compute.pick.candidates import Candidates
from cryoflow.compute.pick.peaks import Picks
from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.fom_maps import has_relion_maps, read_about, read_fom_maps, write_fom_maps
from cryoflow.files.job_paths import micrograph_file
from cryoflow.files.star import StarStyle
from cryoflow.jobs.autopick.candidates_file import read_candidates, write_candidates
from cryoflow.jobs.autopick.map_cache import PickingCache, SharedMaps
from cryoflow.jobs.autopick.micrographs import Micrograph, read_micrograph
from cryoflow.jobs.autopick.output import SUFFIX, Finished, Picked, picked_before, write_coordinates
from cryoflow.jobs.autopick.picker import Maps, Picker
from cryoflow.jobs.autopick.q_values import competition_file, write_competition
from cryoflow.jobs.autopick.statistics import Statistics, statistics_of
from cryoflow.project.context import Failure, JobContext
from cryoflow.spec import AutoPick


class Work(NamedTuple):
    """What is done to every micrograph."""

    spec: AutoPick
    context: JobContext
    picker: Picker
    style: StarStyle
    finished: Finished

    def do(self, micrograph: Micrograph) -> Picked | Failure:
        """Pick from one micrograph and write its coordinates; what goes wrong with it alone is a failure."""
        try:
            fingerprint = self._fingerprint(micrograph)
            return self._kept(micrograph, fingerprint) or self._pick(micrograph, fingerprint)
        except FileError as error:
            # a failure names its micrograph already
            own = error.path in (micrograph.name, str(self.context.project / micrograph.name))
            return Failure(micrograph.name, error.message if own else str(error))
        except CryoflowError as error:
            return Failure(micrograph.name, str(error))

    def check_maps(self, micrograph: Micrograph) -> None:
        """See to it that maps on disk were made with the settings of the spec.

        Raises
        ------
        CryoflowError
            Naming what differs.
        """
        path = self._map_file(micrograph)
        if not path.exists():
            return
        about, wanted = read_about(path), self.picker.settings(micrograph)
        made = about.get("settings")
        if not isinstance(made, dict):
            raise FileError(self.context.relative(path), "tells no settings; write the maps again")
        for name, value in wanted.items():
            if made.get(name) != value:
                raise FileError(
                    self.context.relative(path),
                    f"made with {name} {_short(made.get(name))}, but now it is {_short(value)}; "
                    "set 'Read FOM maps?' to No to work the maps out again",
                )
        made_from, wanted_from = about.get("exact_from"), self.picker.exact_from
        if wanted_from is not None and (made_from is None or made_from > wanted_from):
            raise FileError(
                self.context.relative(path),
                f"peaks below {_short(made_from)} are not exact, and the spec wants those from "
                f"{_short(wanted_from)}; set 'Read FOM maps?' to No to work the maps out again",
            )

    def _pick(self, micrograph: Micrograph, fingerprint: str) -> Picked:
        known, outputs = self._known(micrograph), self._outputs(micrograph)
        if known is None:
            picks, best, scale = self._pick_from_maps(micrograph)
        else:
            picks, best, scale = self._pick_candidates(micrograph, known)
        names = tuple(self.context.relative(output) for output in outputs)
        written = write_coordinates(outputs[0], picks, self.style)
        if self.context.cache is not None:
            self.context.cache.part(PickingCache).picks[names[0]] = written
        self.finished.add(micrograph.name, fingerprint)
        count, mean = len(picks.x), written.mean_fom
        return Picked(micrograph.name, names, count, mean, best, statistics=self._statistics(picks, scale))

    def _pick_from_maps(self, micrograph: Micrograph) -> tuple[Picks, float, float]:
        """Picks, best figure of merit, references' scale; leaves maps and candidates as the spec wants."""
        maps = self._maps(micrograph)
        if self.spec.autopicking.write_fom_maps:
            stored = self.picker.store(maps)
            stored.about["settings"] = self.picker.settings(micrograph)
            path = self._map_file(micrograph)
            write_fom_maps(path, stored, micrograph.pixel_size_a * maps.sampling.spacing)
        candidates = self._candidates(micrograph, maps)
        if candidates is None:
            return self.picker.pick(micrograph, maps), self.picker.best(micrograph, maps), math.nan
        if self._keeps_candidates:
            path, made_from = self._candidate_file(micrograph), self._made_from(micrograph)
            write_candidates(path, candidates, made_from, self.picker.floor)
        return self._pick_candidates(micrograph, candidates)

    def _pick_candidates(self, micrograph: Micrograph, candidates: Candidates) -> tuple[Picks, float, float]:
        """Picks, best figure of merit, references' scale; leaves how decoys competed if the spec wants it."""
        if self.spec.statistics.decoys:
            found = self.picker.compete(micrograph, candidates)
            write_competition(competition_file(self._outputs(micrograph)[0]), found)
        return self.picker.pick_candidates(micrograph, candidates), candidates.best, candidates.scale

    def _known(self, micrograph: Micrograph) -> Candidates | None:
        """Candidates of an earlier run of this job that differs in gates only."""
        if not self._keeps_candidates:
            return None
        path = self._map_file(micrograph)
        if self.spec.autopicking.write_fom_maps:
            wanted = json.loads(json.dumps(self.picker.settings(micrograph)))
            if not path.exists() or read_about(path).get("settings") != wanted:
                return None
        floor, made_from = self.picker.floor, self._made_from(micrograph)
        return read_candidates(self._candidate_file(micrograph), made_from, floor)

    @property
    def _keeps_candidates(self) -> bool:
        """Not from maps of whoever made them, and not for points of a sweep, which share maps."""
        return not self.spec.autopicking.read_fom_maps and self.context.cache is None

    def _made_from(self, micrograph: Micrograph) -> dict[str, Any]:
        stat = self.context.resolve(micrograph.name).stat()
        settings = self.picker.settings(micrograph)
        made: dict[str, Any] = {"settings": settings, "bytes": stat.st_size, "time": stat.st_mtime_ns}
        return dict(json.loads(json.dumps(made)))

    def _maps(self, micrograph: Micrograph) -> Maps:
        if not self.spec.autopicking.read_fom_maps:
            if self.context.cache is None:
                return self._computed(micrograph)
            shared = SharedMaps(self.context, self.context.cache.part(PickingCache))
            return shared.get(micrograph, self.picker, lambda: self._computed(micrograph))
        path, stem = self._map_file(micrograph), str(self._file(micrograph, ""))
        if path.exists():
            return self.picker.restore(read_fom_maps(path))
        if has_relion_maps(stem):
            return self.picker.restore_relion(stem, micrograph)
        raise CryoflowError(
            f"no FOM maps at {self.context.relative(path)}; run the job with 'Write FOM maps?' Yes first"
        )

    def _candidates(self, micrograph: Micrograph, maps: Maps) -> Candidates | None:
        if self.context.cache is None:
            return self.picker.candidates(micrograph, maps)
        return SharedMaps(self.context, self.context.cache.part(PickingCache)).candidates(
            micrograph, self.picker, maps
        )

    def _computed(self, micrograph: Micrograph) -> Maps:
        return self.picker.compute(micrograph, read_micrograph(self.context, micrograph))

    def _kept(self, micrograph: Micrograph, fingerprint: str) -> Picked | None:
        """What an earlier run of this job with the same settings has left."""
        outputs = self._outputs(micrograph)
        if not self.finished.has(micrograph.name, fingerprint) or not all(path.exists() for path in outputs):
            return None
        count, mean = picked_before(outputs[0])
        names = tuple(self.context.relative(output) for output in outputs)
        statistics = None
        if (known := self._known(micrograph)) is not None:
            statistics = self._statistics(self.picker.pick_candidates(micrograph, known), known.scale)
        return Picked(micrograph.name, names, count, mean, None, kept=True, statistics=statistics)

    def _statistics(self, picks: Picks, scale: float) -> Statistics | None:
        """Only where they can be had again, from candidates, for a micrograph that is left alone."""
        if not self._keeps_candidates or self.spec.io.use_laplacian_of_gaussian:
            return None
        return statistics_of(picks, scale)

    def _fingerprint(self, micrograph: Micrograph) -> str:
        """Hash of all that the coordinates of a micrograph depend on; a changed file counts as another."""
        source: dict[str, Any] = {"read_fom_maps": self.spec.autopicking.read_fom_maps}
        if not self.spec.autopicking.read_fom_maps:
            stat = self.context.resolve(micrograph.name).stat()
            source |= {"bytes": stat.st_size, "time": stat.st_mtime_ns}
        settings = self.picker.settings(micrograph)
        everything = [settings, self.picker.thresholds(micrograph), source, self.style]
        return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:16]

    def _outputs(self, micrograph: Micrograph) -> list[Path]:
        """What a micrograph leaves on disk; the coordinates come first."""
        outputs = [self._file(micrograph, ".star")]
        if self.spec.statistics.decoys:
            outputs.append(competition_file(outputs[0]))
        if self.spec.autopicking.write_fom_maps:
            outputs.append(self._map_file(micrograph))
        if self._keeps_candidates and not self.spec.io.use_laplacian_of_gaussian:
            outputs.append(self._candidate_file(micrograph))
        return outputs

    def _candidate_file(self, micrograph: Micrograph) -> Path:
        return self._file(micrograph, "_candidates.npz")

    def _map_file(self, micrograph: Micrograph) -> Path:
        return self._file(micrograph, "_fom.mrcs")

    def _file(self, micrograph: Micrograph, ending: str) -> Path:
        return micrograph_file(self.context.directory, micrograph.name, f"_{SUFFIX}{ending}")


def _short(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
