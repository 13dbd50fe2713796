"""Whether a mask fits the particle that averages show."""

from __future__ import annotations

from torch import Tensor

from cryoflow.compute.image.averages import radial_profile

CUTS = 0.4
"""Mean grey value at the edge of a mask, as part of the highest, from where on it cuts the particle."""
WIDE = 0.18
"""Radius to which the signal reaches, as part of a mask's, below which the mask is much too wide; it is 0.4
to 0.45 where mask and particle are of a size."""
ENOUGH = 5
"""A mask of so many times the radius to which the signal reaches (half its power) holds the particle."""


def mask_warning(averages: Tensor, share: Tensor, diameter_a: float, pixel_size_a: float) -> str | None:
    """Return what to warn of, None where the mask fits.

    Parameters
    ----------
    averages : Tensor
        ``(K, n, n)``, particles bright.
    share : Tensor
        ``(K,)``, how much each counts.
    diameter_a, pixel_size_a : float
        Of the mask, and of the pixels, A.
    """
    found = radial_profile(averages, share, diameter_a / 2 / pixel_size_a)
    if found.edge > CUTS:
        return (
            f"the mask diameter of {diameter_a:g} A seems to cut the particle: at its edge the averages have "
            f"{found.edge:.0%} of their highest grey value; set a larger one"
        )
    if found.half_radius < WIDE:
        enough = ENOUGH * found.half_radius * diameter_a / 2
        return (
            f"the mask diameter of {diameter_a:g} A is much larger than the particle seen in the averages; "
            f"about {enough:.0f} A is enough, and leaves out noise and neighbours"
        )
    return None
