"""From gridded sums to class averages: Wiener filter, iterative gridding weights, window, correction."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d.state import Options
from cryoflow.compute.image.masks import distance_map, mask_with_mean, outside_weight
from cryoflow.compute.image.resize import crop_transform
from cryoflow.compute.image.rotate import PADDING
from cryoflow.compute.image.shells import PaddedShells, padded_shells

KERNEL_RADIUS = 1.9 * PADDING
KERNEL_ALPHA = 15.0
TABLE_STEP = 0.5 / 10000


class Average(NamedTuple):
    """Class averages ``(K, n, n)`` and what their spectra ``(K, S)`` say; see `Model`."""

    images: Tensor
    ssnr: Tensor
    sigma2: Tensor
    coverage: Tensor


def reconstruct(
    data: Tensor, weight: Tensor, tau2: Tensor | None, share: Tensor, radius: int, options: Options
) -> Average:
    """Regularised averages of gridded data.

    Parameters
    ----------
    data, weight : Tensor
        ``(K, 2 n, n + 1)`` from `grid_back`.
    tau2 : Tensor, optional
        ``(K, S)``: signal power before the factor T; None for no prior at all.
    share : Tensor
        ``(K,)``: sum of posterior weights of each class, positive; keeps the gridding weights near one.
    radius : int
        Fourier pixels up to which the grids are filled.
    options : Options
        T, first shell with a prior, gridding rounds.
    """
    shells = padded_shells(options.box, PADDING, radius, inclusive=False)
    weight = weight * shells.inside
    sigma2 = _noise_left(weight, shells)
    spectra = (torch.zeros_like(sigma2), torch.zeros_like(sigma2))
    if tau2 is not None:
        weight, *rest = _add_prior(weight, tau2, shells, radius, options)
        spectra = (rest[0], rest[1])
    norm = share[:, None, None]
    gridding = gridding_weights(weight / norm, shells.inside, radius, options)
    images = _to_images(data / norm * gridding * shells.inside, options.box)
    return Average(images, spectra[0], sigma2, spectra[1])


def _noise_left(weight: Tensor, shells: PaddedShells) -> Tensor:
    summed = PADDING**2 * shells.sums(weight)
    return torch.where(summed > 0, shells.counts / summed, 0)


def _add_prior(
    weight: Tensor, tau2: Tensor, shells: PaddedShells, radius: int, options: Options
) -> tuple[Tensor, Tensor, Tensor]:
    """Weights with the inverse signal power added; data over prior; share of points where data win."""
    prior, inside = tau2[:, shells.shell], shells.inside
    inverse = 1 / (PADDING**2 * options.tau_fudge * prior)
    inverse = torch.where(prior > 0, inverse, 1000 / weight.clamp_min(1e-300))
    ratio = torch.where(inside, weight / inverse, 0)
    counts = shells.counts
    ssnr = shells.sums(ratio) / counts.clamp_min(1)
    ssnr[:, counts < 0.5] = 999
    ssnr[:, radius + 1 :] = 0
    coverage = shells.sums((ratio >= 1).double()) / counts.clamp_min(1)
    regularised = torch.where(inside & (shells.shell >= options.first_prior_shell), weight + inverse, weight)
    return regularised, ssnr, coverage


def gridding_weights(weight: Tensor, inside: Tensor, radius: int, options: Options) -> Tensor:
    """Weights ``(K, 2 n, n + 1)`` that make the gridded sampling even (Pipe and Menon 1999, Magn Reson Med
    41:179).

    Each round divides the weights by their convolution, times the sampling density, with a Kaiser-Bessel
    kernel; done by transforms on a grid just large enough for the filled part. The kernel is cut off at the
    edge of that grid, so its size is part of the result.
    """
    size, full = 2 * (PADDING * radius + 1) + 1, PADDING * options.box
    density = _resize_grid(weight, full, size)
    flat = _resize_grid(inside.double()[None], full, size)
    kernel = _kernel_transform(size, full)
    out = flat.expand_as(density).clone()
    for _ in range(options.gridding_rounds):
        spread = torch.fft.rfft2(torch.fft.irfft2(out * density, s=(size, size)) * kernel).abs()
        out = torch.where(flat > 0, out / spread.clamp_min(1e-6), 0)
    return _resize_grid(out, size, full)


def _resize_grid(values: Tensor, size: int, new_size: int) -> Tensor:
    """Cut or zero-pad a half-plane, origin at pixel 0."""
    return crop_transform(values, size, new_size, new_size)


def _kernel_transform(size: int, full: int) -> Tensor:
    """Transform of the kernel, 1 at the origin, at the pixels of a real-space grid of odd ``size``.

    As RELION has it: the middle pixel counts as the first one of the negative side, and the transform is read
    from a table without interpolation. The rounds amplify such small differences to a per cent of the
    averages.
    """
    place = torch.arange(size, dtype=torch.float64)
    place = torch.where(place < size // 2, place, place - size) / full
    radius = torch.hypot(place[:, None], place[None, :])
    value = kaiser_bessel_transform((radius / TABLE_STEP).floor() * TABLE_STEP)
    return value / kaiser_bessel_transform(torch.zeros(1, dtype=torch.float64))


def kaiser_bessel_transform(frequency: Tensor) -> Tensor:
    """Transform (up to a factor) of the Kaiser-Bessel window of order 0 in three dimensions.

    ``I_{3/2}(s) / s^{3/2}`` with ``s = sqrt(alpha^2 - (2 pi a w)^2)``, J for I where s is imaginary (Lewitt
    1990, J Opt Soc Am A 7:1834).
    """
    squared = KERNEL_ALPHA**2 - (2 * math.pi * KERNEL_RADIUS * frequency) ** 2
    s = squared.abs().sqrt().clamp_min(1e-6)
    growing = (s * torch.cosh(s) - torch.sinh(s)) / s**3
    waving = (torch.sin(s) - s * torch.cos(s)) / s**3
    return torch.where(squared >= 0, growing, waving)


def _to_images(transform: Tensor, box: int) -> Tensor:
    """Inverse transform, cut out the box, blend the corners into their mean, undo the gridding."""
    padded = torch.fft.irfft2(transform, s=(PADDING * box, PADDING * box)) * box**2
    images = torch.roll(padded, (box // 2, box // 2), dims=(-2, -1))[..., :box, :box]
    images = mask_with_mean(images, outside_weight(box, box / 2, 3.0))
    return images / torch.sinc(distance_map(box) / (PADDING * box)) ** 2
