"""References made ready for searches, shared by all micrographs of a size and pixel size."""

from __future__ import annotations

from threading import Lock

import torch

from cryoflow.compute.pick.references import References, prepare_references
from cryoflow.compute.pick.search import Search, prepare_search
from cryoflow.compute.score.decoys import NULLS, decoys
from cryoflow.jobs.autopick.concurrency import concurrency
from cryoflow.jobs.autopick.references import GivenReferences
from cryoflow.project.context import JobContext
from cryoflow.seeds import seed_for
from cryoflow.spec import AutoPick


class ReferenceSearches:
    """The references of a job at the pixel sizes of micrographs, and searches for micrographs of a size."""

    def __init__(self, spec: AutoPick, context: JobContext, given: GivenReferences) -> None:
        self._spec, self._context, self._given = spec, context, given
        self.dtype = torch.float64 if spec.compute.precision == "double" else torch.float32
        self._at_once = concurrency(spec, context.device)  # all of them wait for the references
        self._lock = Lock()
        self._references: dict[float, References] = {}
        self._searches: dict[tuple[int, int, float], Search] = {}

    def references(self, pixel_size_a: float) -> References:
        """References at a micrograph's pixel size; decoys, if the spec wants them, follow."""
        with self._lock:
            if pixel_size_a not in self._references:
                self._references[pixel_size_a] = self._prepared(pixel_size_a)
            return self._references[pixel_size_a]

    def search(self, height: int, width: int, pixel_size_a: float) -> Search:
        """Search for micrographs of ``height`` x ``width`` pixels."""
        references, key = self.references(pixel_size_a), (height, width, pixel_size_a)
        with self._lock:
            if key not in self._searches:
                self._searches.clear()  # one size at a time: rotated references are large
                self._searches[key] = self._prepared_search(references, *key)
                self._report_rank(self._searches[key])
            return self._searches[key]

    def _prepared(self, pixel_size_a: float) -> References:
        tab = self._spec.references
        prepared = prepare_references(
            self._given.images.to(self._context.device, self.dtype),
            self._given.pixel_size_for(pixel_size_a),
            pixel_size_a,
            tab.mask_diameter,
            tab.references_have_inverted_contrast,
        )
        return self._with_decoys(prepared) if self._spec.statistics.decoys else prepared

    def _with_decoys(self, references: References) -> References:
        """References followed by as many decoys of each null."""
        images, seed = references.images, seed_for(self._spec.compute.seed, "decoys")
        false = [decoys(images, seed, null).to(images.dtype) for null in NULLS]
        return references._replace(images=torch.cat((images, *false)))

    def _prepared_search(
        self, references: References, height: int, width: int, pixel_size_a: float
    ) -> Search:
        tab = self._spec.references
        return prepare_search(
            references,
            height,
            width,
            pixel_size_a,
            tab.lowpass_filter_references,
            self._spec.autopicking.shrink_factor,
            tab.in_plane_angular_sampling,
            tab.highpass_filter,
            self._spec.autopicking.template_error,
            self._at_once,
        )

    def _report_rank(self, search: Search) -> None:
        if self._spec.autopicking.template_error is None:
            return
        pairs = len(search.upright) * len(search.psi_deg)
        line = f"compares with all {pairs} references and angles: a basis would be too large, or no faster"
        if search.low_rank is not None:
            rank, error = search.low_rank.rank, search.low_rank.error
            line = f"compares with {rank} templates for {pairs} references and angles, error {error:.2g}"
        self._context.report.say(line)
