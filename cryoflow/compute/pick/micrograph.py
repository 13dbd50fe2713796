"""A micrograph prepared for the search: mean 0, sd 1, outliers and gradients removed."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.image.blocks import row_blocks
from cryoflow.compute.image.fourier import lowpass_mask
from cryoflow.compute.image.partial_dft import folded_basis, forward, inverse_at
from cryoflow.errors import CryoflowError

OUTLIER_SD = 8.0
"""Pixels further than this from the mean count as dead or hot."""


def normalise_micrograph(image: Tensor) -> Tensor:
    """Mean 0 and sd 1 over all pixels, of which those beyond 8 sd are then set to the mean.

    Parameters
    ----------
    image : Tensor
        ``(h, w)``.

    Raises
    ------
    CryoflowError
        When pixels are not finite, or all the same.
    """
    blocks = row_blocks(image)
    mean = float(torch.stack([block.sum(dtype=torch.float64) for block in blocks]).sum()) / image.numel()
    if not math.isfinite(mean):
        broken = int((~torch.isfinite(image)).sum())
        raise CryoflowError(f"{broken} of {image.numel()} pixels are not finite")
    if all(bool((block == image[0, 0]).all()) for block in blocks):
        raise CryoflowError(f"all pixels equal {mean:g}: nothing to pick")
    spreads = [torch.linalg.vector_norm(block - mean, dtype=torch.float64) for block in blocks]
    sd = float(torch.linalg.vector_norm(torch.stack(spreads))) / math.sqrt(image.numel())
    normal = torch.empty_like(image)
    for block, target in zip(blocks, row_blocks(normal), strict=True):
        torch.sub(block, mean, out=target).div_(sd)
        target.masked_fill_(target.abs() > OUTLIER_SD, 0)
    return normal


class Gradients(NamedTuple):
    """Low frequencies that a high-pass filter removes: a raised cosine, in shells of a square."""

    size: int
    """Side of the square: the longer side of the micrograph, pixels."""
    low: int
    """All below this shell is removed."""
    high: int
    """Nothing above this shell is."""

    def removed(self, y: Tensor, x: Tensor) -> Tensor:
        """Share removed at frequencies ``(h,)`` and ``(w,)``, cycles per pixel, ``(h, w)``."""
        shell = torch.hypot(y[:, None], x[None, :]) * self.size
        return lowpass_mask(shell, (self.low + self.high) / 2, self.high - self.low)


def gradients(height: int, width: int, pixel_size_a: float, cutoff_a: float) -> Gradients:
    """RELION's high-pass: two shells wide around shell ``round(size * pixel / cutoff)``, cutoff in A."""
    size = max(height, width)
    shell = math.floor(size * pixel_size_a / cutoff_a + 0.5)
    return Gradients(size, max(0, shell - 1), shell + 1)


def remove_gradients(image: Tensor, gradients: Gradients) -> Tensor:
    """High-pass a micrograph, 0 outside; only the few low frequencies are transformed and subtracted."""
    size, high = gradients.size, gradients.high
    numbers = torch.arange(-high, high + 1, dtype=torch.float64, device=image.device)
    y, x = numbers / size, numbers[high:] / size
    across, along = (folded_basis(n, f, image.dtype) for n, f in zip(image.shape, (y, x), strict=True))
    slow = forward(image, across, along) * gradients.removed(y, x).to(image.dtype) / size**2
    positions = (torch.arange(n, dtype=torch.float64, device=image.device) for n in image.shape)
    return image - inverse_at(slow, y, x, *positions)
