"""A micrograph made ready for the search: mean 0, sd 1, outliers gone, gradients removed."""

import math

import torch
from torch import Tensor

from cryoflow.compute.fourier import lowpass_mask
from cryoflow.compute.partial_dft import folded_basis, forward, inverse_at
from cryoflow.errors import CryoflowError

OUTLIER_SD = 8.0
"""Pixels further than this from the mean are dead or hot."""


def normalise_micrograph(image: Tensor) -> Tensor:
    """Mean 0 and sd 1 over all pixels; pixels further than 8 sd from the mean are first set to the mean.

    Parameters
    ----------
    image : Tensor
        ``(h, w)``.

    Raises
    ------
    CryoflowError
        When pixels are not finite, or all the same.
    """
    broken = int((~torch.isfinite(image)).sum())
    if broken:
        raise CryoflowError(f"{broken} of {image.numel()} pixels are not finite numbers")
    wide = image.double()
    sd, mean = (float(value) for value in torch.std_mean(wide))
    if not sd > 1e-12 * max(abs(mean), 1e-30):
        raise CryoflowError(f"all pixels are {mean:g}: nothing to pick from")
    scaled = (image - mean) / sd
    return scaled.masked_fill_(scaled.abs() > OUTLIER_SD, 0)


def remove_gradients(image: Tensor, pixel_size_a: float, cutoff_a: float) -> Tensor:
    """High-pass a micrograph: what is larger than ``cutoff_a`` (A) goes.

    The filter is RELION's, a raised cosine two shells wide around shell ``round(size * pixel / cutoff)`` of a
    square of ``size``, the longer side; outside the micrograph the square is 0. Only the few low frequencies
    are transformed, and what they make up is taken off.
    """
    size = max(image.shape)
    shell = math.floor(size * pixel_size_a / cutoff_a + 0.5)
    # RELION's edge cannot begin below frequency 0
    low, high = max(0, shell - 1), shell + 1
    numbers = torch.arange(-high, high + 1, dtype=torch.float64, device=image.device)
    y, x = numbers / size, numbers[high:] / size
    bases = (folded_basis(n, f, image.dtype) for n, f in zip(image.shape, (y, x), strict=True))
    kept = lowpass_mask(torch.hypot(y[:, None], x[None, :]) * size, (low + high) / 2, high - low)
    slow = forward(image, *bases) * kept.to(image.dtype) / size**2
    positions = (torch.arange(n, dtype=torch.float64, device=image.device) for n in image.shape)
    return image - inverse_at(slow, y, x, *positions)
