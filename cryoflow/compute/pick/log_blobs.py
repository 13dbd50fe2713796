"""Blobs of about the particle's size, found with Laplacian-of-Gaussian filters of several diameters.

The filter of diameter d is ``t exp(-t / 2)`` with ``t = (2 d k)^2``, k the spatial frequency in 1/A
(Gunn 1999, Pattern Recognition 32:1463, normalised to the same height for all diameters).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.pick.candidates import clear_of_sides
from cryoflow.compute.pick.figure_of_merit import Sampling, sampling_of
from cryoflow.compute.pick.peaks import Picks
from cryoflow.compute.pick.search_grid import sampled_transform, work_grid

_FACTORS = (2, 3, 4, 5)


class BlobMaps(NamedTuple):
    """Best response over the diameters, and its diameter; float32 ``(n, n)``.

    They cover RELION's square of the micrograph's longer side; samples outside the micrograph come last along
    each axis.
    """

    response: Tensor
    diameter_a: Tensor
    sampling: Sampling


class BlobThresholds(NamedTuple):
    """Conditions for blobs to become picks."""

    least_diameter_a: float
    largest_diameter_a: float
    adjust_sd: float
    """Threshold above the mean response of blobs in range, in their standard deviations."""


def log_diameters(least_a: float, largest_a: float) -> list[float]:
    """Diameters to try, A: the range, its middle, and fractions and multiples of it beyond either end."""
    below = [math.floor(least_a / factor + 0.5) for factor in reversed(_FACTORS)]
    above = [math.floor(largest_a * factor + 0.5) for factor in _FACTORS]
    return [*map(float, below), least_a, (least_a + largest_a) / 2, largest_a, *map(float, above)]


def blob_maps(
    micrograph: Tensor, pixel_size_a: float, diameters_a: list[float], resolution_a: float | None, white: bool
) -> BlobMaps:
    """Filter a micrograph with all diameters.

    Parameters
    ----------
    micrograph : Tensor
        ``(height, width)``, normalised.
    pixel_size_a : float
        A per pixel.
    diameters_a : list of float
        Ascending; for equal responses the smaller diameter counts.
    resolution_a : float or None
        The micrograph is downscaled to this resolution, A; None: full size.
    white : bool
        Particles are brighter than their surroundings.
    """
    height, width = micrograph.shape
    grid = work_grid(height, width, pixel_size_a, resolution_a, 0)
    # the largest filters reach across the borders, so the period is that of RELION's square
    period = round(max(height, width) / grid.spacing)
    grid = grid._replace(rows=period, columns=period)
    transform = sampled_transform(micrograph if white else -micrograph, grid) / grid.spacing**2
    y, x = (frequency / pixel_size_a for frequency in grid.frequencies(micrograph.device))
    squared = 4 * (y[:, None] ** 2 + x[None, :] ** 2)
    best = transform.real.new_full((period, period), -torch.inf)
    diameter = torch.zeros_like(best)
    for size in diameters_a:
        t = squared * size**2
        response = torch.fft.irfft2(transform * (t * torch.exp(-t / 2)).to(best.dtype), s=(period, period))
        better = response > best
        best, diameter = torch.maximum(best, response), diameter.masked_fill(better, size)
    # nothing is correlated with a reference here, so RELION's shift is not needed
    sampling = sampling_of(grid)._replace(top=grid.top, left=grid.left)
    return BlobMaps(best.float(), diameter.float(), sampling)


def find_blobs(maps: BlobMaps, thresholds: BlobThresholds, pixel_size_a: float) -> Picks:
    """Take the highest response, clear its surroundings, and repeat with the next.

    A blob clears everything within the mean of its own and the smallest diameter. Responses within half the
    smallest diameter of an edge, or outside the micrograph, count as 0, also in the mean and sd that define
    the threshold, as in RELION.

    Returns
    -------
    Picks
        Best first; the figure of merit is the response, ``reference`` is -1, ``psi_deg`` 0, ``sd`` and
        ``mean`` are NaN.
    """
    spacing = maps.sampling.spacing
    margin = int(thresholds.least_diameter_a / 2 / pixel_size_a)
    rows, columns = maps.response.shape
    clear = clear_of_sides(maps.sampling, rows, columns, margin)
    left = maps.response.cpu() * clear
    diameter = maps.diameter_a.cpu()
    in_range = (diameter >= thresholds.least_diameter_a) & (diameter <= thresholds.largest_diameter_a)
    left = left * in_range * (left >= _threshold(left[in_range], thresholds.adjust_sd))
    found: list[tuple[int, int, float]] = []
    while left.numel() and float(left.max()) > 0:
        row, column = divmod(int(left.argmax()), left.shape[1])
        found.append((row, column, float(left[row, column])))
        reach_a = (float(diameter[row, column]) + thresholds.least_diameter_a) / 2
        _clear(left, row, column, math.floor(reach_a / pixel_size_a / spacing + 0.5))
    table = torch.tensor(found, dtype=torch.float64).reshape(-1, 3)
    empty = torch.zeros(len(table))
    return Picks(
        maps.sampling.top + table[:, 0] * spacing,
        maps.sampling.left + table[:, 1] * spacing,
        torch.full((len(table),), -1),
        empty,
        table[:, 2].float(),
        empty * torch.nan,
        empty * torch.nan,
    )


def _threshold(responses: Tensor, adjust_sd: float) -> float:
    if not responses.numel():
        return 0.0
    sd, mean = torch.std_mean(responses.double(), correction=0)
    return float(mean + adjust_sd * sd)


def _clear(image: Tensor, row: int, column: int, radius: int) -> None:
    """Set pixels closer than ``radius`` (at least the pixel itself) to 0."""
    top, left = max(0, row - radius), max(0, column - radius)
    window = image[top : row + radius + 1, left : column + radius + 1]
    y = torch.arange(top, top + window.shape[0]) - row
    x = torch.arange(left, left + window.shape[1]) - column
    window[y[:, None] ** 2 + x[None, :] ** 2 < max(radius, 1) ** 2] = 0
