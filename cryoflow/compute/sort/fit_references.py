"""References at the particles' pixel size and box, and the disc that is compared."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from cryoflow.compute.image.resize import SAME_PIXEL_A, at_pixel_size, fit_box, rescale
from cryoflow.compute.sort.features import sorting_radius_squared


class SortReferences(NamedTuple):
    """References that particles are compared with."""

    images: Tensor
    """``(refs, box, box)``: pixel size and box of the particles."""
    radius_squared: float
    """Squared radius of the disc that is compared, pixels squared."""
    resized_box: int
    """Side of the references at the particles' pixel size, before they were cut or padded to the box."""


def fit_references(images: Tensor, pixel_a: float, particle_pixel_a: float, box: int) -> SortReferences:
    """Bring references ``(refs, n, n)`` of ``pixel_a`` A to the pixel size and box of the particles."""
    old = images.shape[-1]
    radius_squared = sorting_radius_squared(images)
    resized = at_pixel_size(fit_box(images, old + old % 2), pixel_a, particle_pixel_a, rescale)
    if abs(pixel_a - particle_pixel_a) > SAME_PIXEL_A:
        radius_squared = float(int(radius_squared * (pixel_a / particle_pixel_a) ** 2 + 0.5))
    return SortReferences(fit_box(resized, box), radius_squared, resized.shape[-1])
