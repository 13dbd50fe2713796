"""Images at other sizes: resampling in Fourier space, cutting and padding.

There are two Fourier resizers. `rescale` does what RELION does with particles and references: even
squares, and enlarging keeps the frequencies inside the circle of the old Nyquist radius only. `resize` takes
any height and width, odd ones too, and keeps all frequencies that both sizes hold, corners included: for
micrographs, and for references of the picker, which may be odd and are low-passed afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

from cryoflow.compute.image.fourier import frequencies, shift_phases
from cryoflow.errors import CryoflowError

SAME_PIXEL_A = 1e-3
"""Pixel sizes that differ by no more than this are taken as equal."""


def crop_transform(transform: Tensor, width: int, new_height: int, new_width: int) -> Tensor:
    """Cut or zero-pad a half-plane to that of another image size, values unchanged.

    Parameters
    ----------
    transform : Tensor
        ``(..., h, width // 2 + 1)``, origin at pixel 0.
    width : int
        Width of the image behind ``transform`` (which a half-plane leaves open: odd and even share one size).
    new_height, new_width : int
        Size of the new image.

    Returns
    -------
    Tensor
        ``(..., new_height, new_width // 2 + 1)``. Rows run from ``-((n - 1) // 2)`` to ``n // 2``:
        an even height that shrinks keeps the row +n/2 at its Nyquist row, as RELION does.
    """
    height = transform.shape[-2]
    rows, columns = min(height, new_height), min(width, new_width) // 2 + 1
    top, bottom = rows // 2 + 1, (rows - 1) // 2
    out = transform.new_zeros(*transform.shape[:-2], new_height, new_width // 2 + 1)
    out[..., :top, :columns] = transform[..., :top, :columns]
    if bottom:
        out[..., -bottom:, :columns] = transform[..., -bottom:, :columns]
    return out


def resize(images: Tensor, new_height: int, new_width: int) -> Tensor:
    """Fourier-resize images, keeping grey values and the position of the centre ``n // 2``.

    Parameters
    ----------
    images : Tensor
        ``(..., h, w)``.
    new_height, new_width : int
        Size in pixels of the result; odd and even both keep the centre on ``n // 2``.

    Returns
    -------
    Tensor
        ``(..., new_height, new_width)``.
    """
    height, width = images.shape[-2:]
    transform = torch.fft.rfft2(images)
    small = crop_transform(transform, width, new_height, new_width)
    dy = new_height // 2 - (height // 2) * new_height / height
    dx = new_width // 2 - (width // 2) * new_width / width
    if dy or dx:  # only odd sizes move the centre off n // 2
        small = small * shift_phases(new_height, new_width, dy, dx, small)
    scale = (new_height * new_width) / (height * width)
    resized: Tensor = torch.fft.irfft2(small * scale, s=(new_height, new_width))
    return resized


def resize_square(images: Tensor, size: int) -> Tensor:
    """`resize` to ``size`` pixels along both axes."""
    return resize(images, size, size)


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


def at_pixel_size(
    references: Tensor, old_a: float, new_a: float, resizer: Callable[[Tensor, int], Tensor]
) -> Tensor:
    """References at another pixel size; unchanged when it is the same within `SAME_PIXEL_A`.

    Enlarged references are divided by the factor: averages of particles that were shrunk before normalisation
    have a smaller standard deviation.

    Parameters
    ----------
    references : Tensor
        ``(refs, n, n)``, centre at ``n // 2``.
    old_a, new_a : float
        A per pixel.
    resizer : callable
        Takes images and a size: `rescale`, or `resize_square` where n may be odd.

    Returns
    -------
    Tensor
        ``(refs, m, m)``, m from `resized_box`.

    Raises
    ------
    CryoflowError
        When the references would have less than 2 pixels.
    """
    if abs(old_a - new_a) <= SAME_PIXEL_A:
        return references
    old = references.shape[-1]
    new = resized_box(old, old_a, new_a)
    return resizer(references, new) * min(1.0, old / new)


def resized_box(old: int, old_a: float, new_a: float) -> int:
    """Side of references of ``old`` pixels at another pixel size: ``2 round(old / 2 * old_a / new_a)``.

    Raises
    ------
    CryoflowError
        When the references would have less than 2 pixels.
    """
    new = 2 * math.floor(old // 2 * (old_a / new_a) + 0.5)
    if new < 2:
        raise CryoflowError(
            f"references of {old} pixels of {old_a:g} A are less than 2 pixels of {new_a:g} A; "
            "check both pixel sizes"
        )
    return new


def fit_box(references: Tensor, box: int) -> Tensor:
    """Cut or zero-pad ``(refs, n, n)`` references to another box around the centre ``n // 2``."""
    old = references.shape[-1]
    low, high = box // 2 - old // 2, (box - box // 2) - (old - old // 2)
    return pad(references, (low, high, low, high))
