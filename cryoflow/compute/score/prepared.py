"""A micrograph without outliers or slow gradients, inverted and binned."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.image.resize import resize
from cryoflow.compute.score.spectrum import blurred, even
from cryoflow.errors import CryoflowError

OUTLIER_MAD = 6.0
GRADIENT_DIAMETERS = 3.0
FINEST = 9.0
"""The finest detail used is the diameter over this: binning must keep it."""


class Prepared(NamedTuple):
    """A micrograph with bright particles, without outliers or slow gradients, binned."""

    image: Tensor
    """``(h, w)``."""
    pixel_a: float
    extent_a: tuple[float, float]
    """Height and width in A."""


def prepare(micrograph: Tensor, pixel_a: float, diameter_a: float) -> Prepared:
    """Replace outliers beyond 6 MAD, invert, bin two-fold where that keeps the fine band, remove gradients.

    Parameters
    ----------
    micrograph : Tensor
        ``(h, w)``, particles dark.
    pixel_a, diameter_a : float
        Pixel size and particle diameter, A.

    Raises
    ------
    CryoflowError
        When pixels are not finite or mostly the same, or the micrograph is too small for the particle.
    """
    if not bool(torch.isfinite(micrograph).all()):
        raise CryoflowError("has pixels that are not finite")
    h, w = micrograph.shape
    if min(h, w) * pixel_a < 2 * diameter_a:
        raise CryoflowError(f"smaller than two particle diameters ({diameter_a:g} A)")
    centred = micrograph - micrograph.median()
    mad = 1.4826 * centred.abs().median()
    if float(mad) == 0:
        raise CryoflowError("most pixels have the same value: nothing to compare with")
    image = -centred.masked_fill(centred.abs() > OUTLIER_MAD * mad, 0) / mad
    factor = 2 if 4 * pixel_a * 1.1 <= diameter_a / FINEST else 1
    image = resize(image, even(h / factor), even(w / factor))
    binned_a = pixel_a * h / image.shape[0]
    image = image - image.median()
    image = image - blurred(image, GRADIENT_DIAMETERS * diameter_a / binned_a, 2.0)
    return Prepared(image, binned_a, (h * pixel_a, w * pixel_a))
