"""References prepared for picking: at the micrograph's pixel size and contrast, inside a disc."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.image.masks import disc
from cryoflow.compute.image.resize import at_pixel_size, resize_square
from cryoflow.errors import CryoflowError

RADIUS_MARGIN = 2
"""Pixels subtracted from the mask's radius, so that the mask's own edge is not compared."""


class References(NamedTuple):
    """References at the micrograph's pixel size, zero outside the disc."""

    images: Tensor
    """``(refs, n, n)``, centre at ``n // 2``."""
    radius: int
    """Pixels with ``y^2 + x^2 < radius^2`` are compared."""
    diameter_a: float
    """Mask diameter, A, given or measured."""

    @property
    def box(self) -> int:
        """Side n in micrograph pixels."""
        return int(self.images.shape[-1])

    @property
    def disc(self) -> Tensor:
        """True inside the mask, ``(n, n)``."""
        return disc(self.box, self.radius**2, self.images.device)


def mask_width(image: Tensor, tolerance: float = 1e-6) -> int:
    """Width in pixels of the part of an image's central x line that is not flat background.

    From the first pixel that differs from the corner pixel by more than ``tolerance`` to the last before it
    is back (RELION's rule for the mask diameter; at most ``n - 1``).
    """
    width = image.shape[-1]
    differs = (image[image.shape[-2] // 2] - image[0, 0]).abs() > tolerance
    first = int(differs.int().argmax()) if bool(differs.any()) else 0
    back = (~differs[first + 1 :]).nonzero()
    last = first + int(back[0]) if bool(differs.any()) and len(back) else width - 1
    return last - first


def prepare_references(
    images: Tensor,
    reference_pixel_a: float,
    pixel_size_a: float,
    diameter_a: float | None,
    inverted: bool,
) -> References:
    """Bring references to the micrograph's pixel size and contrast, and mask them.

    Parameters
    ----------
    images : Tensor
        ``(refs, n, n)``, centre at ``n // 2``.
    reference_pixel_a, pixel_size_a : float
        A per pixel of the references and of the micrographs.
    diameter_a : float or None
        Mask diameter; None to measure it (`mask_width`, mean over the references).
    inverted : bool
        Particles are white in one and black in the other.

    Raises
    ------
    CryoflowError
        For a reference that is empty or not finite, or a mask that does not fit.
    """
    for number, image in enumerate(images, 1):
        if not bool(torch.isfinite(image).all()):
            raise CryoflowError(f"reference {number} has pixels that are not finite")
        if bool((image == image[0, 0]).all()):
            raise CryoflowError(f"reference {number} is empty: every pixel is {float(image[0, 0]):g}")
    if diameter_a is None:
        diameter_a = sum(mask_width(image) for image in images) / len(images) * reference_pixel_a
    resized = at_pixel_size(images, reference_pixel_a, pixel_size_a, resize_square)
    box = resized.shape[-1]
    if diameter_a > box * pixel_size_a:
        raise CryoflowError(
            f"the mask diameter ({diameter_a:g} A) is larger than the box of the references "
            f"({box * pixel_size_a:g} A); give a smaller one"
        )
    radius = math.floor(diameter_a / (2 * pixel_size_a) + 0.5) - RADIUS_MARGIN
    if radius < 1:
        raise CryoflowError(
            f"a mask diameter of {diameter_a:g} A leaves nothing to compare; give a larger one"
        )
    masked = resized * disc(box, radius**2, images.device) * (-1 if inverted else 1)
    return References(masked, radius, diameter_a)
