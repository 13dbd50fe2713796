"""Picking with references."""

from __future__ import annotations

from threading import Lock
from typing import Any

import torch
from torch import Tensor

from cryoflow.compute.pick.candidates import Candidates, find_candidates
from cryoflow.compute.pick.figure_of_merit import FomMaps, Sampling, fom_maps, sampling_of
from cryoflow.compute.pick.micrograph import normalise_micrograph
from cryoflow.compute.pick.peaks import Picks, Thresholds, gate, pick_gated
from cryoflow.compute.pick.reference_scale import reference_scale
from cryoflow.compute.pick.references import References, prepare_references
from cryoflow.compute.pick.search import Search, prepare_search
from cryoflow.compute.pick.search_grid import work_grid
from cryoflow.compute.pick.target_decoy import Competition, compete
from cryoflow.compute.score.decoys import NULLS, Null, decoys
from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.fom_maps import StoredMaps, read_relion_maps
from cryoflow.files.mrc import read_header
from cryoflow.jobs.autopick.concurrency import concurrency
from cryoflow.jobs.autopick.map_cache import PickingCache, SharedMaps
from cryoflow.jobs.autopick.micrographs import Micrograph
from cryoflow.jobs.autopick.picker import Maps
from cryoflow.jobs.autopick.references import GivenReferences
from cryoflow.project.context import JobContext
from cryoflow.seeds import seed_for
from cryoflow.spec import AutoPick


class ReferencePicker:
    """A `Picker`; keeps what micrographs of one size and pixel size share."""

    def __init__(self, spec: AutoPick, context: JobContext, given: GivenReferences) -> None:
        self.spec, self.context, self.given = spec, context, given
        self._dtype = torch.float64 if spec.compute.precision == "double" else torch.float32
        self._digest = given.digest
        self._at_once = concurrency(spec, context.device)  # all of them wait for the references
        self._lock = Lock()
        self._references: dict[float, References] = {}
        self._settings: dict[str, dict[str, Any]] = {}
        self._searches: dict[tuple[int, int, float], Search] = {}

    def references(self, pixel_size_a: float) -> References:
        """References at a micrograph's pixel size."""
        with self._lock:
            if pixel_size_a not in self._references:
                tab = self.spec.references
                prepared = prepare_references(
                    self.given.images.to(self.context.device, self._dtype),
                    self.given.pixel_size_for(pixel_size_a),
                    pixel_size_a,
                    tab.mask_diameter,
                    tab.references_have_inverted_contrast,
                )
                self._references[pixel_size_a] = self._with_decoys(prepared)
            return self._references[pixel_size_a]

    def _with_decoys(self, references: References) -> References:
        """References followed by as many decoys of each null, if the spec wants them."""
        if not self.spec.statistics.decoys:
            return references
        images, seed = references.images, seed_for(self.spec.compute.seed, "decoys")
        false = [decoys(images, seed, null).to(images.dtype) for null in NULLS]
        return references._replace(images=torch.cat((images, *false)))

    def settings(self, micrograph: Micrograph) -> dict[str, Any]:
        """See `Picker`; asked for some four times a micrograph."""
        if micrograph.name not in self._settings:
            self._settings[micrograph.name] = self._find_settings(micrograph)
        return self._settings[micrograph.name]

    def _find_settings(self, micrograph: Micrograph) -> dict[str, Any]:
        tab, pixel = self.spec.references, micrograph.pixel_size_a
        peaks = {} if self.exact_from is None else {"peaks": "exact"}  # they were not at first
        return peaks | {
            "kind": "references",
            "references": self._digest,
            "pixel_size_in_micrographs": pixel,
            "pixel_size_in_references": self.given.pixel_size_for(pixel),
            "lowpass_filter_references": tab.lowpass_filter_references,
            "highpass_filter": tab.highpass_filter,
            "mask_diameter": self.references(pixel).diameter_a,
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

    def thresholds(self, micrograph: Micrograph) -> dict[str, Any]:
        """See `Picker`."""
        return self._thresholds(micrograph)._asdict() | {"candidate_floor": self.floor}

    def compute(self, micrograph: Micrograph, image: Tensor) -> FomMaps:
        """See `Picker`."""
        tab, pixel = self.spec.references, micrograph.pixel_size_a
        if tab.are_references_ctf_corrected and micrograph.ctf is None:
            raise CryoflowError("has no usable CTF values, but the references are CTF corrected")
        normal = normalise_micrograph(image.to(self.context.device, self._dtype))
        search = self._search(int(image.shape[0]), int(image.shape[1]), pixel)
        merit = self.spec.autopicking.figure_of_merit
        first_peak = tab.ignore_ctfs_until_first_peak
        return fom_maps(search, normal, micrograph.ctf, first_peak, merit == "ncc", self.floor)

    def pick(self, micrograph: Micrograph, maps: Maps) -> Picks:
        """See `Picker`."""
        return self.pick_candidates(micrograph, self.candidates(micrograph, maps))

    def candidates(self, micrograph: Micrograph, maps: Maps) -> Candidates:
        """See `Picker`."""
        assert isinstance(maps, FomMaps)
        margin = self._thresholds(micrograph).margin
        count = len(self.given.images)
        found = find_candidates(maps, margin, self.floor, count)
        if self.spec.autopicking.figure_of_merit != "relion":
            return found
        own = maps._replace(fom=maps.fom[:count], expected=maps.expected[:count])
        return found._replace(scale=reference_scale(own, margin))

    def pick_candidates(self, micrograph: Micrograph, candidates: Candidates) -> Picks:
        """See `Picker`."""
        return self._pick(micrograph, candidates, 0)

    def compete(self, micrograph: Micrograph, candidates: Candidates) -> dict[Null, Competition]:
        """See `Picker`."""
        picks = self._pick(micrograph, candidates, 0)
        distance = self._thresholds(micrograph).least_distance
        found = {null: self._pick(micrograph, candidates, place) for place, null in enumerate(NULLS, 1)}
        return {null: compete(picks, false, distance) for null, false in found.items()}

    def _pick(self, micrograph: Micrograph, candidates: Candidates, group: int) -> Picks:
        """Picks of the references (group 0), or of the decoys of one null."""
        thresholds, among = self._thresholds(micrograph), None
        if self.spec.statistics.decoys:
            among = candidates.reference // len(self.given.images) == group
        if self.context.cache is None:
            return pick_gated(gate(candidates, thresholds, among), thresholds)
        shared = SharedMaps(self.context, self.context.cache.part(PickingCache))
        gated = shared.gated(micrograph, self, candidates, thresholds, group, among)
        return pick_gated(gated, thresholds)

    @property
    def floor(self) -> float:
        """See `Picker`."""
        tab = self.spec.autopicking
        return min(tab.candidate_floor, tab.picking_threshold)

    @property
    def exact_from(self) -> float | None:
        """See `Picker`."""
        return None if self.spec.autopicking.template_error is None else self.floor

    def best(self, micrograph: Micrograph, maps: Maps) -> float:
        """See `Picker`."""
        return self.candidates(micrograph, maps).best

    def store(self, maps: Maps) -> StoredMaps:
        """See `Picker`: mean, sd, then the FOM maps, then the angles."""
        assert isinstance(maps, FomMaps)
        sections = torch.cat((maps.mean[None], maps.sd[None], maps.fom, maps.psi_deg)).float().cpu().numpy()
        about = {"expected": maps.expected.tolist(), "sampling": maps.sampling._asdict()}
        return StoredMaps(sections, {**about, "exact_from": self.exact_from})

    def restore(self, stored: StoredMaps) -> FomMaps:
        """See `Picker`."""
        maps = torch.from_numpy(stored.maps)
        expected = torch.tensor(stored.about["expected"], dtype=torch.float64)
        fom, psi = maps[2 : 2 + len(expected)], maps[2 + len(expected) :]
        return FomMaps(fom, psi, maps[1], maps[0], expected, Sampling(**stored.about["sampling"]))

    def restore_relion(self, stem: str, micrograph: Micrograph) -> FomMaps:
        """See `Picker`; the squares are cut to the samples on the micrograph."""
        if self.spec.statistics.decoys:
            raise CryoflowError(f"{stem}_*.spi: RELION's maps are of no decoys; set Read FOM maps? to No")
        if self.spec.autopicking.figure_of_merit != "relion":
            raise CryoflowError(f"{stem}_*.spi: maps of RELION's figure of merit; set Read FOM maps? to No")
        header = read_header(self.context.resolve(micrograph.name))
        tab, pixel = self.spec.references, micrograph.pixel_size_a
        shrink = self.spec.autopicking.shrink_factor
        grid = work_grid(header.ny, header.nx, pixel, tab.lowpass_filter_references, shrink)
        found = read_relion_maps(stem, len(self.given.images))
        work = round(max(header.ny, header.nx) / grid.spacing)
        if found.sd.shape != (work, work):
            raise FileError(
                f"{stem}_*.spi",
                f"maps of {found.sd.shape[0]} pixels, but shrink factor and low-pass of the spec make {work}",
            )
        (h, w), (row, column) = grid.inside, (work // 2 - centre for centre in grid.centre)
        window = (..., slice(row, row + h), slice(column, column + w))
        fom, psi, sd, mean = (torch.from_numpy(part[window].copy()) for part in found[:4])
        return FomMaps(
            fom, psi, sd, mean, torch.tensor(found.expected, dtype=torch.float64), sampling_of(grid)
        )

    def _thresholds(self, micrograph: Micrograph) -> Thresholds:
        tab = self.spec.autopicking
        references = self.references(micrograph.pixel_size_a)
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

    def _search(self, height: int, width: int, pixel_size_a: float) -> Search:
        references = self.references(pixel_size_a)
        tab, key = self.spec.references, (height, width, pixel_size_a)
        with self._lock:
            if key not in self._searches:
                self._searches.clear()  # one size at a time: rotated references are large
                self._searches[key] = prepare_search(
                    references,
                    height,
                    width,
                    pixel_size_a,
                    tab.lowpass_filter_references,
                    self.spec.autopicking.shrink_factor,
                    tab.in_plane_angular_sampling,
                    tab.highpass_filter,
                    self.spec.autopicking.template_error,
                    self._at_once,
                )
                self._report_rank(self._searches[key])
            return self._searches[key]

    def _report_rank(self, search: Search) -> None:
        if self.spec.autopicking.template_error is None:
            return
        pairs = len(search.upright) * len(search.psi_deg)
        line = f"compares with all {pairs} references and angles: a basis would not be faster, or too large"
        if search.low_rank is not None:
            rank, error = search.low_rank.rank, search.low_rank.error
            line = f"compares with {rank} templates for {pairs} references and angles, error {error:.2g}"
        self.context.report.say(line)
