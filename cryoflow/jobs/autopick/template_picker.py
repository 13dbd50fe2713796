"""Picking with references."""

from __future__ import annotations

from torch import Tensor

from cryoflow.compute.pick.candidates import Candidates, find_candidates
from cryoflow.compute.pick.figure_of_merit import FomMaps, fom_maps
from cryoflow.compute.pick.micrograph import normalise_micrograph
from cryoflow.compute.pick.peaks import Picks, Thresholds, gate, pick_gated
from cryoflow.compute.pick.reference_scale import reference_scale
from cryoflow.compute.pick.target_decoy import Competition, compete
from cryoflow.compute.score.decoys import NULLS, Null
from cryoflow.errors import CryoflowError
from cryoflow.jobs.autopick.map_cache import PickingCache
from cryoflow.jobs.autopick.micrographs import Micrograph
from cryoflow.jobs.autopick.picker import RAISED, Found, Maps, OtherThresholds, Recipe, Settings, Source
from cryoflow.jobs.autopick.reference_search import ReferenceSearches
from cryoflow.jobs.autopick.references import GivenReferences
from cryoflow.project.context import JobContext
from cryoflow.spec import AutoPick


class ReferencePicker:
    """A `Picker`; keeps what micrographs of one size and pixel size share."""

    def __init__(self, spec: AutoPick, context: JobContext, given: GivenReferences) -> None:
        self.spec, self.context, self.given = spec, context, given
        self.searches = ReferenceSearches(spec, context, given)
        self._digest = given.digest
        self._cache = None if context.cache is None else context.cache.part(PickingCache)

    def recipe(self, micrograph: Micrograph) -> Recipe:
        """See `Picker`."""
        maps, floor = self._map_settings(micrograph), self._floor
        gates = self._thresholds(micrograph)._asdict() | {"candidate_floor": floor}
        exact_from = None if self.spec.autopicking.template_error is None else floor
        return Recipe(maps, gates, floor, exact_from)

    def _map_settings(self, micrograph: Micrograph) -> Settings:
        tab, pixel = self.spec.references, micrograph.pixel_size_a
        low_rank = self.spec.autopicking.template_error is not None
        return ({"peaks": "exact"} if low_rank else {}) | {  # they were not in the first versions
            "kind": "references",
            "references": self._digest,
            "pixel_size_in_micrographs": pixel,
            "pixel_size_in_references": self.given.pixel_size_for(pixel),
            "lowpass_filter_references": tab.lowpass_filter_references,
            "highpass_filter": tab.highpass_filter,
            "mask_diameter": self.searches.references(pixel).diameter_a,
            "in_plane_angular_sampling": tab.in_plane_angular_sampling,
            "references_have_inverted_contrast": tab.references_have_inverted_contrast,
            "are_references_ctf_corrected": tab.are_references_ctf_corrected,
            "ignore_ctfs_until_first_peak": tab.ignore_ctfs_until_first_peak,
            "shrink_factor": self.spec.autopicking.shrink_factor,
            "ctf": None if micrograph.ctf is None else [float(value) for value in micrograph.ctf],
            "figure_of_merit": self.spec.autopicking.figure_of_merit,
            "template_error": self.spec.autopicking.template_error,
            "precision": self.spec.compute.precision,
            "decoys": f"of seed {self.spec.compute.seed}" if self.spec.statistics.decoys else None,
        }

    def compute(self, micrograph: Micrograph, image: Tensor) -> FomMaps:
        """See `Picker`."""
        tab, pixel = self.spec.references, micrograph.pixel_size_a
        if tab.are_references_ctf_corrected and micrograph.ctf is None:
            raise CryoflowError("has no usable CTF values, but the references are CTF corrected")
        normal = normalise_micrograph(image.to(self.context.device, self.searches.dtype))
        search = self.searches.search(int(image.shape[0]), int(image.shape[1]), pixel)
        merit = self.spec.autopicking.figure_of_merit
        first_peak = tab.ignore_ctfs_until_first_peak
        return fom_maps(search, normal, micrograph.ctf, first_peak, merit, self._floor)

    def candidates(self, micrograph: Micrograph, maps: Maps) -> Candidates:
        """Find all peaks down to the floor; those of decoys follow by the number of the reference."""
        assert isinstance(maps, FomMaps)
        margin, count = self._thresholds(micrograph).margin, len(self.given.images)
        found = find_candidates(maps, margin, self._floor, count)
        if self.spec.autopicking.figure_of_merit != "relion":
            return found
        own = maps._replace(fom=maps.fom[:count], expected=maps.expected[:count])
        return found._replace(scale=reference_scale(own, margin))

    def pick(self, micrograph: Micrograph, source: Source) -> Found:
        """See `Picker`."""
        assert isinstance(source, Candidates)
        picks = self._pick(micrograph, source, 0)
        competitions = self._compete(micrograph, source, picks) if self.spec.statistics.decoys else {}
        others = self._at_other_thresholds(micrograph, source, picks) if self._cache is None else None
        return Found(picks, source.best, source.scale, competitions, others)

    def _at_other_thresholds(
        self, micrograph: Micrograph, candidates: Candidates, own: Picks
    ) -> OtherThresholds:
        thresholds, among = self._thresholds(micrograph), self._among(candidates, 0)
        least = thresholds.least_fom
        lowest = thresholds._replace(least_fom=self._floor, keep_best=True)
        raised = [] if thresholds.keep_best else [thresholds._replace(least_fom=least + by) for by in RAISED]
        peaks, *picks = (pick_gated(gate(candidates, one, among), one) for one in (lowest, *raised))
        kept = tuple(int((own.fom >= one.least_fom).sum()) for one in raised)
        return OtherThresholds(peaks.fom.cpu(), tuple(len(one.fom) for one in picks), kept)

    def _compete(
        self, micrograph: Micrograph, candidates: Candidates, picks: Picks
    ) -> dict[Null, Competition]:
        distance = self._thresholds(micrograph).least_distance
        found = {null: self._pick(micrograph, candidates, place) for place, null in enumerate(NULLS, 1)}
        return {null: compete(picks, false, distance) for null, false in found.items()}

    def _pick(self, micrograph: Micrograph, candidates: Candidates, group: int) -> Picks:
        """Picks of the references (group 0), or of the decoys of one null."""
        thresholds, among = self._thresholds(micrograph), self._among(candidates, group)
        if self._cache is None:
            return pick_gated(gate(candidates, thresholds, among), thresholds)
        gated = self._cache.gated((micrograph.name, group), candidates, thresholds, among)
        return pick_gated(gated, thresholds)

    def _among(self, candidates: Candidates, group: int) -> Tensor | None:
        """Mask of the candidates of a group; None for all, without decoys."""
        if not self.spec.statistics.decoys:
            return None
        return candidates.reference // len(self.given.images) == group

    @property
    def _floor(self) -> float:
        """Least figure of merit of candidates."""
        tab = self.spec.autopicking
        return min(tab.candidate_floor, tab.picking_threshold)

    def _thresholds(self, micrograph: Micrograph) -> Thresholds:
        tab = self.spec.autopicking
        references = self.searches.references(micrograph.pixel_size_a)
        return Thresholds.of(
            tab.picking_threshold,
            tab.minimum_inter_particle_distance,
            micrograph.pixel_size_a,
            references.radius,
            references.box,
            tab.maximum_stddev_noise,
            tab.minimum_avg_noise,
            tab.subpixel_peaks,
            tab.figure_of_merit,
        )
