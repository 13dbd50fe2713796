"""From a micrograph and positions to particle images: window, rescale, replace dust, normalise, invert."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.fourier import crop_transform, frequencies
from cryoflow.compute.normalize import background_mask, background_radius, normalize, remove_dust
from cryoflow.compute.windows import Corners, cut


class ExtractSettings(NamedTuple):
    """How particle images are made; sizes in pixels."""

    size: int
    """Even box in the micrograph."""
    rescaled: int
    """Even box of the result; equal to ``size`` for no rescaling."""
    background_diameter: float
    """Diameter of the particle's circle, in pixels of the box before rescaling."""
    normalize: bool = True
    invert: bool = True
    white: float | None = None
    """Background standard deviations that make white dust; None for off."""
    black: float | None = None

    @property
    def radius(self) -> int:
        """Radius of the particle's circle in pixels of the result."""
        return background_radius(self.background_diameter, self.size, self.rescaled)


def rescale(images: Tensor, size: int) -> Tensor:
    """Fourier-resize square images of even box to another even box, as RELION does, keeping grey values.

    Shrinking keeps the square of low frequencies, with the row and column at the new Nyquist frequency as
    they are; enlarging keeps the frequencies inside the circle of the old Nyquist radius.
    """
    box = images.shape[-1]
    if size == box:
        return images
    return _shrink(images, size) if size < box else _enlarge(images, size)


def _shrink(images: Tensor, size: int) -> Tensor:
    """Transform rows, drop their high frequencies, and only then transform the columns that are left."""
    half = size // 2
    rows = torch.fft.rfft(images, norm="forward")[..., : half + 1]
    columns = torch.fft.fft(rows, dim=-2, norm="forward")
    small = torch.cat((columns[..., : half + 1, :], columns[..., images.shape[-1] - half + 1 :, :]), -2)
    resized: Tensor = torch.fft.irfft2(small, s=(size, size), norm="forward")
    return resized


def _enlarge(images: Tensor, size: int) -> Tensor:
    box = images.shape[-1]
    grid = frequencies(box, box, images.device, torch.float64)
    transform = torch.fft.rfft2(images, norm="forward").masked_fill(grid.radius > 0.5 + 1e-9, 0)
    resized: Tensor = torch.fft.irfft2(crop_transform(transform, box, size, size), norm="forward")
    return resized


def extract(
    micrograph: Tensor,
    begin: Corners,
    settings: ExtractSettings,
    seeds: Sequence[int],
    batch: int = 64,
    spread: Callable[..., Iterable[Tensor]] = map,
) -> Tensor:
    """Particle images of one micrograph.

    Parameters
    ----------
    micrograph : Tensor
        ``(h, w)``, float.
    begin : Corners
        Windows of ``settings.size`` that all touch the micrograph (`cryoflow.compute.windows.touching`).
    settings : ExtractSettings
        Box, rescaling, normalisation, contrast, dust.
    seeds : sequence of int
        One a window, for the noise that replaces dust.
    batch : int
        Windows worked on at a time.
    spread : callable
        As `map`, to work on several batches side by side.

    Returns
    -------
    Tensor
        ``(n, rescaled, rescaled)`` with the dtype and device of ``micrograph``. Each window's
        result is its own, but for rounding, which may depend on ``batch`` and torch's threads.
    """
    out = micrograph.new_empty(len(begin.y), settings.rescaled, settings.rescaled)
    parts = [slice(first, first + batch) for first in range(0, len(begin.y), batch)]

    def work(part: slice) -> Tensor:
        windows = cut(micrograph, Corners(begin.y[part], begin.x[part]), settings.size)
        return _finish(rescale(windows, settings.rescaled), settings, seeds[part])

    for part, images in zip(parts, spread(work, parts), strict=True):
        out[part] = images
    return out


def _finish(images: Tensor, settings: ExtractSettings, seeds: Sequence[int]) -> Tensor:
    if settings.normalize:
        mask = background_mask(settings.rescaled, settings.radius, images.device)
        if settings.white is not None or settings.black is not None:
            images = remove_dust(images, mask, settings.white, settings.black, seeds).images
        images = normalize(images, mask)
    return images.neg_() if settings.invert else images
