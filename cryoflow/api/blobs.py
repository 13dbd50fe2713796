"""Picking blobs with Laplacian-of-Gaussian filters, without references."""

from __future__ import annotations

from cryoflow.api.arrays import as_tensor, instance, positive
from cryoflow.api.images import Micrograph
from cryoflow.api.picking import Picks, picks_like
from cryoflow.compute.pick.log_blobs import BlobThresholds, blob_maps, find_blobs, log_diameters
from cryoflow.compute.pick.micrograph import normalise_micrograph
from cryoflow.errors import ArgumentError, CryoflowError


def pick_blobs(
    micrograph: Micrograph,
    *,
    min_diameter_a: float = 200.0,
    max_diameter_a: float = 250.0,
    white: bool = False,
    resolution_a: float | None = 20.0,
    adjust_threshold: float = 0.0,
) -> Picks:
    """Pick blobs of about the particle's size. Defaults are those of AutoPick.

    Parameters
    ----------
    micrograph : Micrograph
    min_diameter_a, max_diameter_a : float
        Range of diameters.
    white : bool
        Particles are brighter than their surroundings.
    resolution_a : float or None
        The micrograph is downscaled to this resolution.
    adjust_threshold : float
        In standard deviations; below 0 picks more.

    Returns
    -------
    Picks
        Best first; the figure of merit is the response of the filter, ``reference`` is -1, ``sd`` and
        ``mean`` are NaN.

    Raises
    ------
    ArgumentError
        If an argument cannot be used.
    CryoflowError
        If the micrograph is flat or too small.
    """
    instance(micrograph, Micrograph, "micrograph")
    least, largest = positive(min_diameter_a, "min_diameter_a"), positive(max_diameter_a, "max_diameter_a")
    if least > largest:
        raise ArgumentError(f"min_diameter_a: {least:g} exceeds max_diameter_a ({largest:g})")
    pixels, pixel = as_tensor(micrograph.pixels, micrograph.label, "h w"), micrograph.pixel_size_a
    if min(pixels.shape) * pixel < 2 * least:
        raise ArgumentError(f"{micrograph.label}: too small for blobs of {least:g} A")
    try:
        normal = normalise_micrograph(pixels)
    except CryoflowError as error:
        raise CryoflowError(f"{micrograph.label}: {error}") from error
    maps = blob_maps(normal, pixel, log_diameters(least, largest), resolution_a, white)
    found = find_blobs(maps, BlobThresholds(least, largest, adjust_threshold), pixel)
    return picks_like(found, micrograph.pixels, micrograph.name)
