"""Sums of the E-step for the M-step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import reduce

import torch
from torch import Tensor

from cryoflow.compute.class2d.gridding import grid_back
from cryoflow.compute.class2d.sampling import Points
from cryoflow.compute.class2d.state import Model, Options

GRIDDED = 8
"""Classes gridded at once: the intermediate results are several times as large as the sums."""


@dataclass
class Sums:
    """Weighted sums over particles, float64 on the CPU: K classes, G groups, S shells, N' = 2 n."""

    data: Tensor
    """Complex ``(K, N', n + 1)``: gridded images, times CTF and inverse noise."""
    weight: Tensor
    """``(K, N', n + 1)``: gridded CTF^2 over noise."""
    share: Tensor
    """``(K,)``"""
    offset: Tensor
    """``(K, 2)``: offsets (y, x)."""
    offset_squared: float
    """Squared distance of the offsets to the class's own mean."""
    noise: Tensor
    """``(G, S)``: squared residuals."""
    group_weight: Tensor
    """``(G,)``"""
    image_reference: Tensor
    """``(G, S)``: product of images and references, where the reference is well determined."""
    reference_reference: Tensor
    """``(G, S)``: power of references there."""
    norm: float
    log_likelihood: float
    pmax: float

    @classmethod
    def zeros(cls, model: Model, options: Options) -> Sums:
        """Nothing added yet."""
        classes, groups, box = len(model.share), len(model.scale), options.box

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(*shape, dtype=torch.float64)

        return cls(
            data=torch.zeros(classes, 2 * box, box + 1, dtype=torch.complex128),
            weight=zeros(classes, 2 * box, box + 1),
            share=zeros(classes), offset=zeros(classes, 2), offset_squared=0.0,
            noise=zeros(groups, options.shells), group_weight=zeros(groups),
            image_reference=zeros(groups, options.shells), reference_reference=zeros(groups, options.shells),
            norm=0.0, log_likelihood=0.0, pmax=0.0,
        )  # fmt: skip

    def add_grids(self, classes: Tensor, rows: RowSums, box: int, psi_deg: Tensor, points: Points) -> None:
        """Grid what was summed for the classes ``classes`` at the angles ``psi_deg``, a few at a time."""
        angles = len(psi_deg)
        for first in range(0, len(classes), GRIDDED):
            some = classes[first : first + GRIDDED]
            mine = slice(first * angles, (first + len(some)) * angles)
            real, imag, weight = (part[mine].double().cpu() for part in (rows.real, rows.imag, rows.weight))
            gridded = grid_back(torch.complex(real, imag), weight, box, psi_deg, points)
            self.data[some] += gridded[0]
            self.weight[some] += gridded[1]


def sum_of(parts: Sequence[Sums]) -> Sums:
    """The sums over all parts of the particles."""

    def both(one: Sums, other: Sums) -> Sums:
        return Sums(*(getattr(one, field.name) + getattr(other, field.name) for field in fields(Sums)))

    return reduce(both, parts)


@dataclass
class RowSums:
    """Sums for each row (class and angle) before gridding, on the device of the images."""

    real: Tensor
    """``(R, P)``"""
    imag: Tensor
    """``(R, P)``"""
    weight: Tensor
    """``(R, P)``"""

    @classmethod
    def zeros(cls, rows: int, points: int, like: Tensor) -> RowSums:
        """Nothing added yet, with the device and precision of ``like``."""
        return cls(*(like.new_zeros(rows, points) for _ in range(3)))

    def flush_into(self, other: RowSums) -> None:
        """Add everything to ``other`` and reset to zero."""
        for own, its in ((self.real, other.real), (self.imag, other.imag), (self.weight, other.weight)):
            its += own
            own.zero_()
