"""Sampling of the search: image sizes, Fourier points, and the grids of angles and offsets."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d.state import Options
from cryoflow.compute.image.fourier import frequencies
from cryoflow.compute.image.shells import shell_index


class Points(NamedTuple):
    """Points of the half-plane inside a radius, each conjugate pair once, from the origin outwards: ``(P,)``
    each."""

    position: Tensor
    """Place in a flattened half-plane ``n * (n // 2 + 1)``; point 0 is the origin."""
    y: Tensor
    x: Tensor
    """Fourier pixels, float64."""
    shell: Tensor
    """Rounded radius, int64."""
    sign: Tensor
    """+1 or -1: moves the centre n // 2 of an image to the origin."""

    def within(self, radius: int) -> int:
        """Number of points, from the first, inside ``radius``."""
        return int((self.y**2 + self.x**2 <= radius**2).sum())


def points_within(box: int, radius: int) -> Points:
    """Points up to ``radius`` (inclusive) of the half-plane of a ``box`` x ``box`` image, by radius."""
    grid = frequencies(box, box, dtype=torch.float64)
    y = (grid.y * box).round().expand(box, box // 2 + 1).clone()
    y[box // 2] = box // 2  # the Nyquist row counts as positive
    x = (grid.x * box).round().expand_as(y)
    wanted = (y**2 + x**2 <= radius**2) & ~((x == 0) & (y < 0))
    position = wanted.flatten().nonzero()[:, 0]
    position = position[(y**2 + x**2).flatten()[position].argsort(stable=True)]
    y, x = y.flatten()[position], x.flatten()[position]
    sign = 1 - 2 * ((y + x) % 2)
    return Points(position, y, x, shell_index(box).flatten()[position], sign)


class ImageSizes(NamedTuple):
    """Boxes, in pixels, of the transforms of the fine and of the coarse pass."""

    current: int
    coarse: int


def image_sizes(shell: int, options: Options) -> ImageSizes:
    """Image sizes for a current resolution of ``shell`` Fourier pixels.

    The fine pass uses ``size_increment`` shells more; the coarse pass only those that its angular step can
    resolve at the rim of the particle, or those up to an explicit limit of the E-step.
    """
    current = min(2 * (shell + options.size_increment), options.box)
    extent = options.box * options.pixel_size_a
    if options.e_step_limit_a is not None:
        coarse = 2 * round_away(extent / options.e_step_limit_a)
    elif options.align:
        arc = coarse_psi(options).step / 360 * math.pi * options.mask_diameter_a
        coarse = 2 * math.ceil(extent / (arc / 1.5))
    else:
        coarse = current
    return ImageSizes(current, min(coarse, current))


class PsiGrid(NamedTuple):
    """Even grid of angles from 0."""

    step: float
    number: int


def coarse_psi(options: Options) -> PsiGrid:
    """Coarse angles: the smallest number whose step does not exceed the requested one."""
    number = math.ceil(360 / options.psi_step_deg - 1e-9)
    return PsiGrid(360 / number, number)


class PoseSampling(NamedTuple):
    """Angles (degrees) and offsets (pixels; y, x) of both passes, moved by this iteration's perturbation.

    Fine angles 2 j, 2 j + 1 belong to coarse angle j; fine offsets 4 i to 4 i + 3 to coarse offset i.
    """

    psi_coarse: Tensor
    psi_fine: Tensor
    offset_coarse: Tensor
    offset_fine: Tensor
    offset_prior: Tensor
    """Coarse offsets without the perturbation: where the offset prior is evaluated."""


def make_sampling(options: Options, perturbation: float) -> PoseSampling:
    """The grids of one iteration."""
    step, number = coarse_psi(options)
    psi = torch.arange(number, dtype=torch.float64) * step
    fine = (psi[:, None] + torch.tensor([-0.25, 0.25], dtype=torch.float64) * step).flatten()
    fine = torch.where(fine > 180, fine - 360, fine)
    offsets = _offset_disc(options.offset_range_px, options.offset_step_px)
    quarter = options.offset_step_px / 4
    corners = quarter * torch.tensor([[-1, -1], [1, -1], [-1, 1], [1, 1]], dtype=torch.float64)
    offsets_fine = (offsets[:, None] + corners).flatten(0, 1)
    rotation, move = perturbation * step, perturbation * options.offset_step_px
    return PoseSampling(psi + rotation, fine + rotation, offsets + move, offsets_fine + move, offsets)


def _offset_disc(radius: float, step: float) -> Tensor:
    """Square grid of ``step`` inside ``radius``, ``(S, 2)``, by x and then y."""
    steps = torch.arange(-math.ceil(radius / step), math.ceil(radius / step) + 1, dtype=torch.float64) * step
    x, y = torch.meshgrid(steps, steps, indexing="ij")
    inside = x**2 + y**2 <= radius**2
    return torch.stack((y[inside], x[inside]), -1)


def next_perturbation(previous: float, uniform: float) -> float:
    """Perturbation of the next iteration: grows by 0.25 to 0.5 (``uniform`` in 0 to 1), wrapped into
    +-0.5."""
    grown = previous + 0.25 + 0.25 * uniform
    return (grown + 0.5) % 1 - 0.5


def round_away(value: float) -> int:
    """Round half away from zero."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def round_away_tensor(values: Tensor) -> Tensor:
    """Round half away from zero, element by element, to int64."""
    return (values.sign() * (values.abs() + 0.5).floor()).long()
