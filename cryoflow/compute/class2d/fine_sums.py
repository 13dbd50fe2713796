"""What the weights of a chunk of particles add to the sums of the E-step."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d.fine import Chunk, FineGrid, Look, Posterior, of_classes
from cryoflow.compute.class2d.prepare import Prepared
from cryoflow.compute.class2d.project import Rows
from cryoflow.compute.class2d.shifts import Moved, of_members
from cryoflow.compute.class2d.sums import RowSums


class Residuals(NamedTuple):
    """float64 ``(B, S)`` each: sums over the points of a shell, in units of squared image transforms."""

    cross: Tensor
    """Weighted product of image and reference (with CTF and scale)."""
    power: Tensor
    """Weighted power of the reference (with CTF and scale)."""
    cross_determined: Tensor
    power_determined: Tensor


class Shares(NamedTuple):
    """Posterior probabilities of some classes for some particles."""

    classes: Tensor
    """int64 ``(c,)``"""
    members: Tensor
    """int64 ``(b,)``"""
    both: Tensor
    """``(c, J, b, T)``: of the angle of a row and its turn by 180 degrees."""
    difference: Tensor
    """``(c, J, b, T)``: of the angle of a row, less that of its turn."""


def shares(one: Look, posterior: Posterior, heavy: Tensor) -> Shares | None:
    """Probabilities of the particles for which the classes carry weight; None if there are none."""
    kept = heavy[one.members[:, None], one.classes]  # (b, c)
    mine = kept.any(1).nonzero()[:, 0]
    if not len(mine):
        return None
    whole = len(mine) == len(one.members)
    members, weight = one.members[mine], one.weight if whole else one.weight[:, :, :, mine]
    inverse = (kept[mine].T / posterior.total[members]).to(weight)[:, None, :, None]
    if len(weight) == 1:
        both = weight[0] * inverse
        return Shares(one.classes, members, both, both)
    both, difference = weight[0] + weight[1], weight[0] - weight[1]
    return Shares(one.classes, members, both.mul_(inverse), difference.mul_(inverse))


def add_images(chunk: Chunk, part: Shares, sums: RowSums) -> None:
    """Add the weighted images to the rows of their classes; ``sums`` has rows for each class and angle."""
    weights = part.both.sum(3).flatten(0, 1) @ chunk.images.weight[part.members]
    real = _weighted(part.both.flatten(0, 1), part.members, chunk.unmasked.real)
    imag = _weighted(part.difference.flatten(0, 1), part.members, chunk.unmasked.imag)
    for out, added in ((sums.real, real), (sums.imag, imag), (sums.weight, weights)):
        by_class = out.view(-1, part.both.shape[1], out.shape[1])
        by_class.index_add_(0, part.classes, added.view(len(part.classes), *by_class.shape[1:]))


def _weighted(weight: Tensor, members: Tensor, images: Tensor) -> Tensor:
    """``(R, P)`` from weights ``(R, b, T)`` and images ``(B, T, P)``."""
    if not one_by_one(members, images):
        return weight.flatten(1) @ of_members(images, members).flatten(0, 1)
    out = images.new_zeros(len(weight), images.shape[2])
    for place, b in enumerate(members.tolist()):
        out.addmm_(weight[:, place], images[b])
    return out


def one_by_one(members: Tensor, images: Tensor) -> bool:
    """On a CPU, picking some images out would take as long as the product; on a GPU many small products
    would."""
    return not images.is_cuda and len(members) < len(images)


def add_references(amplitude: Tensor, rows: Rows, part: Shares, out: Moved) -> None:
    """Add the weighted references to those that their particles expect."""
    mine = of_classes(rows, part.classes)
    for weight, reference, image in (
        (part.both, mine.real.flatten(0, 1), out.real),
        (part.difference, mine.imag.flatten(0, 1), out.imag),
    ):
        by_function = (weight @ amplitude).flatten(0, 1)  # (c * J, b, s)
        if one_by_one(part.members, image):
            for place, b in enumerate(part.members.tolist()):
                image[b].addmm_(by_function[:, place].T, reference)
        elif len(part.members) == len(image):
            image.flatten(0, 1).addmm_(by_function.flatten(1).T, reference)
        else:
            added = by_function.flatten(1).T @ reference
            image.index_add_(0, part.members, added.view(-1, *image.shape[1:]))


class Powers(NamedTuple):
    """float64 ``(B, S)`` each: weighted power of the references (with CTF and scale), in every shell and in
    those where they are well determined."""

    every: Tensor
    determined: Tensor

    @classmethod
    def zeros(cls, images: Prepared) -> Powers:
        """Nothing added yet."""
        return cls(torch.zeros_like(images.noise), torch.zeros_like(images.noise))


def add_power(chunk: Chunk, grid: FineGrid, part: Shares, out: Powers) -> None:
    """Add the weighted power of some classes."""
    weight, noise = chunk.images.weight[part.members], chunk.images.noise[part.members]
    by_row = part.both.sum(3).transpose(1, 2)  # (c, b, J)
    by_point = by_row @ of_classes(grid.rows, part.classes).power * weight
    by_shell = (by_point @ grid.shell).double() * noise  # (c, b, S)
    out.every.index_add_(0, part.members, by_shell.sum(0))
    out.determined.index_add_(0, part.members, (by_shell * grid.determined[part.classes][:, None]).sum(0))


def residuals(chunk: Chunk, grid: FineGrid, powers: Powers) -> Residuals:
    """Products with the expected references, once all classes are in."""

    def by_shell(expected: Moved) -> Tensor:
        low = expected.real.shape[2]
        product = expected.real * chunk.masked.real[..., :low]
        product.addcmul_(expected.imag, chunk.masked.imag[..., :low])
        return (product.sum(1) @ grid.shell[:low]).double() * chunk.images.noise

    return Residuals(by_shell(chunk.expected), powers.every, by_shell(chunk.determined), powers.determined)
