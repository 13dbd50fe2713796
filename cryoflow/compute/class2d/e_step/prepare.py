"""Preparation of particle images for both passes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d.sampling import Points, round_away_tensor
from cryoflow.compute.class2d.state import Data, Model, Options, Particles
from cryoflow.compute.image.ctf import CtfParameters, ctf_at
from cryoflow.compute.image.masks import mask_with_mean, mask_with_noise, noise_image, outside_weight
from cryoflow.compute.image.shells import shell_indicator_once


class Geometry(NamedTuple):
    """Data that depend on the image size only; on the device of the images."""

    points: Points
    """Inside the current radius, on the CPU."""
    radius: int
    """Half the current size."""
    position: Tensor
    """Positions of the points in a flattened half-plane, on the device."""
    sign: Tensor
    shell_sums: Tensor
    """``(n * (n // 2 + 1), S)``: sums a flattened half-plane over shells, each conjugate pair once."""
    outside: Tensor
    """Weight of what lies outside of the particle mask, ``(n, n)``."""


class Prepared(NamedTuple):
    """B particles, P points, S shells; ``c`` is the CTF times the scale of the group, ``s2`` the noise
    variance."""

    numbers: Tensor
    """``(B,)`` into the particles, CPU."""
    masked: Tensor
    """Complex ``(B, P)``: transform of the masked image, times ``c / s2``."""
    unmasked: Tensor
    """The same of the unmasked image."""
    weight: Tensor
    """``(B, P)``: ``c^2 / s2``."""
    power: Tensor
    """float64 ``(B, S)``: squared modulus of the masked image summed over each shell."""
    noise: Tensor
    """float64 ``(B, S)``: ``s2``."""
    shift: Tensor
    """float64 ``(B, 2)``: whole-pixel offset (y, x) by which the image was moved, CPU."""


def geometry(options: Options, points: Points, size: int, device: torch.device) -> Geometry:
    """Compute the data of one image size."""
    box, radius = options.box, size // 2
    outside = outside_weight(box, options.mask_diameter_a / (2 * options.pixel_size_a), options.mask_edge_px)
    return Geometry(
        points, radius, points.position.to(device), points.sign.to(device),
        shell_indicator_once(box, radius).to(device), outside.to(device),
    )  # fmt: skip


def prepare(
    index: Tensor, data: Data, model: Model, particles: Particles, options: Options, where: Geometry
) -> Prepared:
    """Read, scale, centre, mask, transform and weight the particles ``index``."""
    images = data.images(index)
    factor = (model.norm_mean / particles.norm[index]).to(images)
    shift = round_away_tensor(particles.offset_px[index])
    images = translate(images * factor[:, None, None], shift.to(images.device))
    masked = _mask(images, index, data, model, options, where.outside)
    box = options.box
    unmasked_ft, masked_ft = (torch.fft.rfft2(stack).flatten(1) / box**2 for stack in (images, masked))
    power = masked_ft.abs().double().square() @ where.shell_sums
    noise = model.noise[data.group[index]].to(images.device)
    scale = model.scale[data.group[index]].to(images)[:, None].clamp_min(1e-3)
    ctf = ctf_values(index, data, options, where).to(images) * scale
    inverse = (1 / noise)[:, where.points.shell.to(images.device)].to(images)
    take = [
        (ft[:, where.position] * where.sign.to(images)) * (ctf * inverse) for ft in (masked_ft, unmasked_ft)
    ]
    return Prepared(index, take[0], take[1], ctf.square() * inverse, power, noise, shift.double())


def translate(images: Tensor, shift: Tensor) -> Tensor:
    """Move images ``(B, n, n)`` by whole pixels ``(B, 2)`` (y, x); zeros come in from outside."""
    box = images.shape[-1]
    place = torch.arange(box, device=images.device)
    rows, columns = place - shift[:, :1], place - shift[:, 1:]
    inside = ((rows >= 0) & (rows < box))[:, :, None] & ((columns >= 0) & (columns < box))[:, None, :]
    batch = torch.arange(len(images), device=images.device)[:, None, None]
    moved = images[batch, rows.clamp(0, box - 1)[:, :, None], columns.clamp(0, box - 1)[:, None, :]]
    return moved * inside


def _mask(
    images: Tensor, index: Tensor, data: Data, model: Model, options: Options, outside: Tensor
) -> Tensor:
    outside = outside.to(images)
    if options.zero_mask:
        return mask_with_mean(images, outside)
    noise = torch.stack(
        [
            noise_image(torch.Generator().manual_seed(int(data.seed[i])), model.noise[data.group[i]])
            for i in index
        ]
    )
    return mask_with_noise(images, outside, noise.to(images))


def ctf_values(index: Tensor, data: Data, options: Options, where: Geometry) -> Tensor:
    """CTF of the particles ``index`` at all points, ``(B, P)`` float64 on the CPU; ones without
    correction."""
    if not options.correct_ctf:
        return torch.ones(len(index), len(where.points.x), dtype=torch.float64)
    extent = options.box * options.pixel_size_a
    fields = CtfParameters(*(field[index][:, None] for field in data.ctf))
    ky, kx = where.points.y / extent, where.points.x / extent
    return ctf_at(fields, ky, kx, options.phase_flipped, options.first_peak)
