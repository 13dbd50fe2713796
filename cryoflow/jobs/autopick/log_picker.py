"""Picking with a Laplacian of Gaussian."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from cryoflow.compute.pick.log_blobs import BlobMaps, BlobThresholds, blob_maps, find_blobs, log_diameters
from cryoflow.compute.pick.micrograph import normalise_micrograph
from cryoflow.errors import CryoflowError
from cryoflow.jobs.autopick.micrographs import Micrograph
from cryoflow.jobs.autopick.picker import Found, Maps, Recipe, Source
from cryoflow.project.context import JobContext
from cryoflow.spec import AutoPick


class BlobPicker:
    """A `Picker` without references."""

    def __init__(self, spec: AutoPick, context: JobContext) -> None:
        self.spec, self.context = spec, context
        self._dtype = torch.float64 if spec.compute.precision == "double" else torch.float32

    def recipe(self, micrograph: Micrograph) -> Recipe:
        """See `Picker`."""
        tab = self.spec.laplacian
        maps = {
            "kind": "Laplacian of Gaussian",
            "pixel_size_in_micrographs": micrograph.pixel_size_a,
            "min_diameter_for_log_filter": tab.min_diameter_for_log_filter,
            "max_diameter_for_log_filter": tab.max_diameter_for_log_filter,
            "are_the_particles_white": tab.are_the_particles_white,
            "maximum_resolution_to_consider": tab.maximum_resolution_to_consider,
            "precision": self.spec.compute.precision,
        }
        return Recipe(maps, self._thresholds._asdict())

    def compute(self, micrograph: Micrograph, image: Tensor) -> BlobMaps:
        """See `Picker`."""
        tab = self.spec.laplacian
        least = tab.min_diameter_for_log_filter
        if min(image.shape) * micrograph.pixel_size_a < 2 * least:
            size = f"{image.shape[1]} x {image.shape[0]}"
            raise CryoflowError(f"{size} pixels, too small for blobs of {least:g} A")
        return blob_maps(
            normalise_micrograph(image.to(self.context.device, self._dtype)),
            micrograph.pixel_size_a,
            log_diameters(least, tab.max_diameter_for_log_filter),
            tab.maximum_resolution_to_consider,
            tab.are_the_particles_white,
        )

    def candidates(self, micrograph: Micrograph, maps: Maps) -> BlobMaps:
        """Return the maps: blobs are chosen from them."""
        del micrograph
        assert isinstance(maps, BlobMaps)
        return maps

    def pick(self, micrograph: Micrograph, source: Source) -> Found:
        """See `Picker`."""
        assert isinstance(source, BlobMaps)
        best = float(source.response.max()) if source.response.numel() else math.nan
        return Found(find_blobs(source, self._thresholds, micrograph.pixel_size_a), best)

    @property
    def _thresholds(self) -> BlobThresholds:
        tab = self.spec.laplacian
        return BlobThresholds(
            tab.min_diameter_for_log_filter,
            tab.max_diameter_for_log_filter,
            tab.adjust_default_threshold,
        )
