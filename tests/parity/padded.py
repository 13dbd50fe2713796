"""Searches with RELION's random numbers: its noise around micrographs, its expected ratios."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cryoflow.compute.image.ctf import ctf_at
from cryoflow.compute.pick.figure_of_merit import FomMaps, fom_maps, sampling_of
from cryoflow.compute.pick.micrograph import normalise_micrograph
from cryoflow.compute.pick.search import Search, prepare_search
from cryoflow.compute.pick.search_grid import work_grid
from cryoflow.compute.pick.templates import disc_pixels
from cryoflow.jobs.autopick.micrographs import Micrograph
from cryoflow.jobs.autopick.template_picker import ReferencePicker
from parity.noise import Deviates


class PaddedSearch:
    """Searches squares around micrographs of one size, in the order of RELION's list."""

    def __init__(self, picker: ReferencePicker) -> None:
        self.picker = picker
        self._deviates = Deviates()
        self._search: Search | None = None

    def maps(self, micrograph: Micrograph, image: Tensor, place: int) -> tuple[FomMaps, Tensor]:
        """Maps at the samples on the micrograph, and RELION's expected ratios, float64 ``(refs,)``."""
        tab, size = self.picker.spec.references, max(image.shape)
        search = self._search_square(size, micrograph.pixel_size_a)
        outside, pixels = size**2 - image.numel(), int(search.references.disc.sum())
        count = outside + len(search.upright) * pixels
        drawn = torch.from_numpy(self._deviates.of_micrograph(place, count))
        square = _surround(normalise_micrograph(image.to(search.references.images)), drawn[:outside])
        maps = fom_maps(search, square, micrograph.ctf, tab.ignore_ctfs_until_first_peak)
        upright, noise = self._upright(search, micrograph), drawn[outside:].reshape(-1, pixels)
        return self._cut(search, maps, micrograph, image), _expected(search, upright, noise)

    def _cut(self, search: Search, maps: FomMaps, micrograph: Micrograph, image: Tensor) -> FomMaps:
        """What of the square's maps lies on the micrograph, sampled as without the square."""
        shrink = self.picker.spec.autopicking.shrink_factor
        lowpass = self.picker.spec.references.lowpass_filter_references
        grid = work_grid(*image.shape, micrograph.pixel_size_a, lowpass, shrink)
        (top, left), (h, w) = (np.subtract(search.grid.centre, grid.centre), grid.inside)
        fom, psi, sd, mean = (part[..., top : top + h, left : left + w] for part in maps[:4])
        return FomMaps(fom, psi, sd, mean, maps.expected, sampling_of(grid))

    def _search_square(self, size: int, pixel_size_a: float) -> Search:
        if self._search is None:
            tab = self.picker.spec.references
            self._search = prepare_search(
                self.picker.searches.references(pixel_size_a),
                size,
                size,
                pixel_size_a,
                tab.lowpass_filter_references,
                self.picker.spec.autopicking.shrink_factor,
                tab.in_plane_angular_sampling,
                tab.highpass_filter,
            )
        return self._search

    def _upright(self, search: Search, micrograph: Micrograph) -> Tensor:
        if micrograph.ctf is None:
            return search.upright
        ky, kx = search.band.y / search.pixel_size_a, search.band.x / search.pixel_size_a
        first_peak = self.picker.spec.references.ignore_ctfs_until_first_peak
        return search.upright * ctf_at(micrograph.ctf, ky[:, None], kx, first_peak=first_peak)


def _surround(image: Tensor, noise: Tensor) -> Tensor:
    """Put an image, ``(h, w)``, into the middle of a square and the noise, row after row, around it."""
    height, width = image.shape
    size = max(height, width)
    top, left = size // 2 - height // 2, size // 2 - width // 2
    square = image.new_full((size, size), torch.nan)
    square[top : top + height, left : left + width] = image
    square[square.isnan()] = noise.to(image)
    return square


def _expected(search: Search, upright: Tensor, noise: Tensor) -> Tensor:
    """``exp(sum(A^2 + 2 A noise) / 2 / (n + 1))``, noise ``(refs, n)``."""
    grid = search.grid
    area = grid.rows * grid.columns * grid.spacing**2
    pixels = disc_pixels(upright, search.band, area, search.references.radius, grid.correlation_shift)
    return torch.exp((pixels.square() + 2 * pixels * noise).sum(1) / 2 / (pixels.shape[1] + 1))
