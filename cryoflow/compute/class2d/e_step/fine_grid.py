"""Operands of the fine pass: samples of rows, and a chunk of particles."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d.e_step.prepare import Prepared
from cryoflow.compute.class2d.e_step.shift_basis import Moved, moved, of_members
from cryoflow.compute.class2d.gridding import Rows


class FineGrid(NamedTuple):
    """Samples of a class, T offsets and H x A x 2 angles, and what they are compared with. On the device.

    A row is a class and a coarse angle, R = K' * A in all, class slowest; it has references at two fine
    angles. H = 2 where these also represent the angles 180 degrees further.
    """

    psi_deg: Tensor
    """``(H, A, 2)``, CPU."""
    offset_px: Tensor
    """``(T, 2)``, CPU; four quarters of T, each with one of the four fine offsets of every coarse one."""
    rows: Rows
    """``(R, 2, P)`` each."""
    basis: Tensor
    """Complex ``(s, P)``."""
    folding: Tensor
    """``(T, s + 4)``: the amplitude, and `moments`."""
    seen: slice
    """Points that count in the likelihood."""
    rows_determined: Rows
    """``rows`` in the shells in which references are well determined (they define the scale of groups), zero
    elsewhere; up to the last of them, no points if there is one group."""
    shell: Tensor
    """One-hot ``(P, S)``."""

    @property
    def amplitude(self) -> Tensor:
        """``(T, s)``: the phases of the offsets are ``amplitude @ basis``."""
        return self.folding[:, : len(self.basis)]


class Chunk(NamedTuple):
    """B particles in the fine pass."""

    images: Prepared
    prior: Tensor
    """``(B, S, K')``: log prior of coarse offset and class."""
    wanted: Tensor
    """Bool ``(B, S, H, R)``: the coarse samples whose finer ones are compared."""
    masked: Moved
    """``(B, s, P)``, by the basis."""
    unmasked: Moved
    """``(B, s, P)``, by the basis."""


def moments(offset_px: Tensor) -> Tensor:
    """Quantities averaged over samples: 1, offset (y, x) and its square, ``(T, 4)``."""
    return torch.cat((torch.ones_like(offset_px[:, :1]), offset_px, offset_px.square().sum(1, True)), 1)


def begin(images: Prepared, prior: Tensor, wanted: Tensor, grid: FineGrid) -> Chunk:
    """Move all images of a chunk."""
    return Chunk(images, prior, wanted, moved(images.masked, grid.basis), moved(images.unmasked, grid.basis))


def pick(rows: Rows, some: Tensor) -> Rows:
    """Distinct rows, in order; a view when these are all or one."""
    return Rows(*(of_members(field, some) for field in rows))
