"""Picking with a Laplacian of Gaussian."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from cryoflow.compute.pick.candidates import Candidates
from cryoflow.compute.pick.figure_of_merit import Sampling
from cryoflow.compute.pick.log_blobs import BlobMaps, BlobThresholds, blob_maps, find_blobs, log_diameters
from cryoflow.compute.pick.micrograph import normalise_micrograph
from cryoflow.compute.pick.peaks import Picks
from cryoflow.compute.pick.target_decoy import Competition
from cryoflow.compute.score.decoys import Null
from cryoflow.errors import CryoflowError
from cryoflow.files.fom_maps import StoredMaps
from cryoflow.jobs.autopick.micrographs import Micrograph
from cryoflow.jobs.autopick.picker import Maps
from cryoflow.project.context import JobContext
from cryoflow.spec import AutoPick


class BlobPicker:
    """A `Picker` without references."""

    def __init__(self, spec: AutoPick, context: JobContext) -> None:
        self.spec, self.context = spec, context
        self._dtype = torch.float64 if spec.compute.precision == "double" else torch.float32

    def settings(self, micrograph: Micrograph) -> dict[str, Any]:
        """See `Picker`."""
        tab = self.spec.laplacian
        return {
            "kind": "Laplacian of Gaussian",
            "pixel_size_in_micrographs": micrograph.pixel_size_a,
            "min_diameter_for_log_filter": tab.min_diameter_for_log_filter,
            "max_diameter_for_log_filter": tab.max_diameter_for_log_filter,
            "are_the_particles_white": tab.are_the_particles_white,
            "maximum_resolution_to_consider": tab.maximum_resolution_to_consider,
            "precision": self.spec.compute.precision,
        }

    def thresholds(self, micrograph: Micrograph) -> dict[str, Any]:
        """See `Picker`."""
        del micrograph
        return self._thresholds._asdict()

    def compute(self, micrograph: Micrograph, image: Tensor) -> BlobMaps:
        """See `Picker`."""
        tab = self.spec.laplacian
        least = tab.min_diameter_for_log_filter
        if min(image.shape) * micrograph.pixel_size_a < 2 * least:
            size = f"{image.shape[1]} x {image.shape[0]}"
            raise CryoflowError(f"{size} pixels are too few for blobs of {least:g} A")
        return blob_maps(
            normalise_micrograph(image.to(self.context.device, self._dtype)),
            micrograph.pixel_size_a,
            log_diameters(least, tab.max_diameter_for_log_filter),
            tab.maximum_resolution_to_consider,
            tab.are_the_particles_white,
        )

    def pick(self, micrograph: Micrograph, maps: Maps) -> Picks:
        """See `Picker`."""
        assert isinstance(maps, BlobMaps)
        return find_blobs(maps, self._thresholds, micrograph.pixel_size_a)

    @property
    def floor(self) -> float:
        """See `Picker`; not used."""
        return math.inf

    @property
    def exact_from(self) -> None:
        """See `Picker`."""

    def candidates(self, micrograph: Micrograph, maps: Maps) -> None:
        """See `Picker`: a blob blanks its surroundings, which is no matter of peaks."""
        del micrograph, maps

    def pick_candidates(self, micrograph: Micrograph, candidates: Candidates) -> Picks:
        """Refuse: there are no candidates."""
        raise CryoflowError("blobs are not picked from candidates")

    def compete(self, micrograph: Micrograph, candidates: Candidates) -> dict[Null, Competition]:
        """Refuse: blobs have no decoys."""
        raise CryoflowError("blobs have no decoys")

    def best(self, micrograph: Micrograph, maps: Maps) -> float:
        """See `Picker`."""
        del micrograph
        assert isinstance(maps, BlobMaps)
        return float(maps.response.max()) if maps.response.numel() else math.nan

    def store(self, maps: Maps) -> StoredMaps:
        """See `Picker`."""
        assert isinstance(maps, BlobMaps)
        sections = torch.stack((maps.response, maps.diameter_a)).float().cpu().numpy()
        return StoredMaps(sections, {"sampling": maps.sampling._asdict()})

    def restore(self, stored: StoredMaps) -> BlobMaps:
        """See `Picker`."""
        response, diameter = torch.from_numpy(stored.maps)
        return BlobMaps(response, diameter, Sampling(**stored.about["sampling"]))

    def restore_relion(self, stem: str, micrograph: Micrograph) -> BlobMaps:
        """Refuse: RELION's maps of single diameters are not read."""
        del micrograph
        raise CryoflowError(f"{stem}_*.spi: RELION's Laplacian maps cannot be read; set Read FOM maps? to No")

    @property
    def _thresholds(self) -> BlobThresholds:
        tab = self.spec.laplacian
        return BlobThresholds(
            tab.min_diameter_for_log_filter,
            tab.max_diameter_for_log_filter,
            tab.adjust_default_threshold,
        )
