"""Data shared by all micrographs of one size in a search with references."""

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.image.partial_dft import centred_transform
from cryoflow.compute.parallel import single_threads
from cryoflow.compute.pick.band import Band, band_within, paired
from cryoflow.compute.pick.exact_correlation import ExactPlaces, exact_places
from cryoflow.compute.pick.low_rank import LowRank, low_rank
from cryoflow.compute.pick.micrograph import Gradients, gradients
from cryoflow.compute.pick.references import References
from cryoflow.compute.pick.search_grid import WorkGrid, band_limit, work_grid
from cryoflow.compute.pick.templates import FineTransform, fine_transform, psi_angles, rotated_templates
from cryoflow.errors import CryoflowError

_KEPT_BYTES = 3 << 29
"""Bytes of rotated references kept between micrographs; beyond that they are rotated again when needed."""


class Search(NamedTuple):
    """From `prepare_search`."""

    grid: WorkGrid
    references: References
    pixel_size_a: float
    psi_deg: Tensor
    """Float64 ``(psis,)``."""
    band: Band
    """Frequencies of the references."""
    background: Tensor
    """Conjugate transform of the background mask, over its number of pixels, ``(rows, columns // 2 + 1)``."""
    upright: Tensor
    """References at psi 0, complex ``(refs, rows, columns)`` of the band's block."""
    gradients: Gradients | None
    """Frequencies that a high-pass filter removes from micrographs."""
    fine: FineTransform
    rotated: Tensor | None
    """References at angles below 180 degrees (all angles when their number is odd), see
    `cryoflow.compute.pick.band.paired`, ``(refs, psis, rows, 2 columns - 1)``; None when they are too large
    to keep, or not needed."""
    low_rank: LowRank | None = None
    """Basis that replaces all references and angles, if requested."""
    exact: ExactPlaces | None = None
    """Exact correlations at single positions, for the basis."""

    @property
    def distinct_psis(self) -> int:
        """Number of angles below 180 degrees, when the rest are opposite to them; else all."""
        count = len(self.psi_deg)
        return count if count % 2 else count // 2

    def pairs(self, reference: int, start: int, stop: int) -> Tensor:
        """A reference at angles ``start`` to ``stop``, of the distinct ones, see `band.paired`."""
        if self.rotated is not None:
            return self.rotated[reference, start:stop]
        fine = self.fine._replace(values=self.fine.values[reference : reference + 1])
        return paired(rotated_templates(fine, self.psi_deg[start:stop], self.band)[0])


def prepare_search(
    references: References,
    height: int,
    width: int,
    pixel_size_a: float,
    lowpass_a: float | None,
    shrink: float,
    psi_step_deg: float,
    highpass_a: float | None = None,
    error: float | None = None,
    at_once: int = 1,
) -> Search:
    """Prepare a search for micrographs of ``height`` x ``width`` pixels.

    Parameters
    ----------
    references : References
        From `cryoflow.compute.pick.references.prepare_references`; device and precision are theirs.
    height, width : int
        Micrograph, pixels.
    pixel_size_a : float
        A per micrograph pixel.
    lowpass_a : float or None
        References are cut at this resolution, A.
    shrink : float
        RELION's shrink factor, see `cryoflow.compute.pick.search_grid.work_grid`.
    psi_step_deg : float
        In-plane step, degrees.
    highpass_a : float or None
        Features larger than this are removed from micrographs, A.
    error : float, optional
        Take a basis with at most this error (`cryoflow.compute.pick.low_rank.low_rank`) for all references
        and angles, if that saves anything and the number of angles is even.
    at_once : int
        Threads that rotate references; the result does not depend on it.

    Raises
    ------
    CryoflowError
        When the micrograph is smaller than the references, or too few samples would be left.
    """
    if min(height, width) < references.box:
        size = f"{width} x {height}"
        raise CryoflowError(f"{size} pixels, smaller than the box of the references, {references.box} pixels")
    grid = work_grid(height, width, pixel_size_a, lowpass_a, shrink)
    limit = band_limit(height, width, pixel_size_a, lowpass_a)
    band = band_within(grid, limit, references.images.device)
    upright = centred_transform(references.images, band.y, band.x) * band.inside
    search = Search(
        grid,
        references,
        pixel_size_a,
        psi_angles(psi_step_deg),
        band,
        _background_mask(references, grid),
        upright,
        None if highpass_a is None else gradients(height, width, pixel_size_a, highpass_a),
        fine_transform(references.images, limit, max(height, width), at_once),
        None,
    )
    return _with_templates(search, error, at_once)


def _with_templates(search: Search, error: float | None, at_once: int) -> Search:
    """Compute a basis for all references and angles, or else rotate each reference now if memory allows."""
    if error is not None and len(search.psi_deg) % 2 == 0:
        half, box = search.psi_deg[: search.distinct_psis], search.references.box
        basis = low_rank(search.fine, half, search.band, search.grid, box, error, at_once)
        search = search._replace(low_rank=basis)
        if search.low_rank is not None:
            exact = exact_places(search.references, search.fine, half, search.band, search.grid)
            return search._replace(exact=exact)
    kept = search.distinct_psis * search.upright.numel() * search.upright.element_size()
    return search._replace(rotated=_all_rotated(search, at_once)) if kept <= _KEPT_BYTES else search


def _all_rotated(search: Search, at_once: int) -> Tensor:
    refs, psis = len(search.upright), search.distinct_psis
    rows, columns = search.band.inside.shape
    rotated = search.upright.real.new_empty(refs, psis, rows, 2 * columns - 1)

    def rotate(psi: int) -> None:  # one angle at a time, to keep the sampling points of few
        angle = search.psi_deg[psi : psi + 1]
        rotated[:, psi : psi + 1] = paired(rotated_templates(search.fine, angle, search.band))

    with single_threads(at_once) as pool:
        list(pool.map(rotate, range(psis)))
    return rotated


def _background_mask(references: References, grid: WorkGrid) -> Tensor:
    """Conjugate transform of the box without the disc, normalised so that a product averages over it."""
    outside = (~references.disc).to(references.images.dtype)
    transform = centred_transform(outside, *grid.frequencies(outside.device))
    return torch.conj(transform).resolve_conj() / outside.sum()
