"""Contributions of a chunk of particles to the sums of the E-step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from cryoflow.compute.class2d.e_step.fine_grid import Chunk, FineGrid, pick
from cryoflow.compute.class2d.e_step.fine_pass import RowScores
from cryoflow.compute.class2d.e_step.shift_basis import Moved
from cryoflow.compute.class2d.e_step.sums import RowSums
from cryoflow.compute.class2d.gridding import Rows


class Residuals(NamedTuple):
    """float64 ``(B, S)`` each: sums over the points of a shell, in units of squared image transforms."""

    cross: Tensor
    """Weighted product of image and reference (with CTF and scale)."""
    power: Tensor
    """Weighted power of the reference (with CTF and scale)."""
    cross_determined: Tensor
    power_determined: Tensor


@dataclass
class Expected:
    """References weighted by the posterior of B particles."""

    image: Moved
    """``(B, s, P)``, for the functions of the basis."""
    power: Tensor
    """``(B, P)``"""

    @classmethod
    def zeros(cls, chunk: Chunk, rows: Rows) -> Expected:
        """Nothing added yet, at the points of ``rows``."""
        like, points = chunk.masked.real, rows.power.shape[2]
        shape = *like.shape[:2], points
        return cls(Moved(like.new_zeros(shape), like.new_zeros(shape)), like.new_zeros(len(like), points))

    def add(self, rows: Rows, part: Share) -> None:
        """Add the rows ``(r, 2, P)`` of a share."""
        for weight, reference, image in (
            (part.both, rows.real, self.image.real),
            (part.difference, rows.imag, self.image.imag),
            (part.mass[..., None], rows.power, self.power[:, None]),
        ):
            by_function, row = weight.flatten(0, 1).flatten(1).T, reference.flatten(0, 1)  # (b * s, r * 2)
            if len(part.members) == len(image):
                image.flatten(0, 1).addmm_(by_function, row)
            elif len(part.members) == 1:
                image[int(part.members)].addmm_(by_function, row)
            else:
                image.index_add_(0, part.members, (by_function @ row).view(-1, *image.shape[1:]))

    def by_shell(self, chunk: Chunk, shell: Tensor) -> tuple[Tensor, Tensor]:
        """Products with the images, and powers: the fields of `Residuals`."""
        points = slice(self.power.shape[1])
        product = self.image.real * chunk.masked.real[..., points]
        product.addcmul_(self.image.imag, chunk.masked.imag[..., points])
        power = self.power * chunk.images.weight[:, points]
        noise = chunk.images.noise
        return (product.sum(1) @ shell[points]).double() * noise, (power @ shell[points]).double() * noise


class Share(NamedTuple):
    """Posterior probabilities of some rows for some particles: fields of a `RowScores`, made absolute."""

    rows: Tensor
    """int64 ``(r,)``"""
    members: Tensor
    """int64 ``(b,)``"""
    both: Tensor
    """``(r, 2, b, s)``"""
    difference: Tensor
    """``(r, 2, b, s)``"""
    mass: Tensor
    """``(r, 2, b)``"""


def share_of(one: RowScores, factor: Tensor) -> Share:
    """Scale weights by the factors ``(B, R)`` of a posterior; rows that no particle keeps are left out."""
    scale = factor[one.members[:, None], one.rows].T  # (r, b)
    kept = scale.any(1)
    fields = [scale.to(one.both)[:, None, :, None], one.both, one.difference]
    if not kept.all():
        fields = [field[kept] for field in fields]
    by, both, difference = fields
    mass = (both[..., -4:-3] * by)[..., 0]
    return Share(one.rows[kept], one.members, both[..., :-4] * by, difference * by, mass)


def add_images(chunk: Chunk, part: Share, sums: RowSums) -> None:
    """Add the weighted images to their rows; ``sums`` has ``(R * 2, P)``."""
    images, weight = chunk.unmasked.of(part.members), chunk.images.weight[part.members]
    for out, by, image in (
        (sums.real, part.both.flatten(2), images.real.flatten(0, 1)),
        (sums.imag, part.difference.flatten(2), images.imag.flatten(0, 1)),
        (sums.weight, part.mass, weight),
    ):
        by_row = out.view(-1, 2, out.shape[1])
        by_row.index_add_(0, part.rows, (by.flatten(0, 1) @ image).view(-1, *by_row.shape[1:]))


def add_expected(grid: FineGrid, part: Share, every: Expected, determined: Expected) -> None:
    """Add the weighted references to those that their particles expect, in all shells and in those in which
    the references are well determined."""
    for rows, expected in ((grid.rows, every), (grid.rows_determined, determined)):
        if rows.power.shape[2]:
            expected.add(pick(rows, part.rows), part)


def residuals(chunk: Chunk, grid: FineGrid, every: Expected, determined: Expected) -> Residuals:
    """Products of the images with the expected references, and the power of these."""
    cross, power = every.by_shell(chunk, grid.shell)
    return Residuals(cross, power, *determined.by_shell(chunk, grid.shell))
