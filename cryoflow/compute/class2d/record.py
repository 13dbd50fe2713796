"""Bookkeeping of the E-step: new poses, and sums over particles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d.block import (
    Block,
    Posterior,
    Residuals,
    add_rows,
    log_weights,
    posterior,
    residuals,
    shifted,
)
from cryoflow.compute.class2d.prepare import Prepared
from cryoflow.compute.class2d.search import Search
from cryoflow.compute.class2d.sums import RowSums, Sums
from cryoflow.compute.class2d.types import Particles


class Assignment(NamedTuple):
    """What the rows and offsets of a block stand for. CPU tensors."""

    class_row: Tensor
    """int64 ``(R,)``: class, counted among the classes that are not empty."""
    psi_deg: Tensor
    """``(R, H)``: angle of each row and, if it stands for two, of its turn by 180 degrees."""
    offset_px: Tensor
    """``(T, 2)`` (y, x), on top of the whole pixels by which images were moved."""


@dataclass
class Record:
    """Sums so far, and the particles with the poses found so far."""

    sums: Sums
    particles: Particles
    image_constant: Tensor
    """``(G,)``: sum of log(2 pi s2) over the points of the likelihood, for each group."""

    @classmethod
    def start(cls, search: Search, particles: Particles) -> Record:
        """Nothing summed, all particles as they were."""
        count = search.where.shell_sums.sum(0).cpu()
        inside = torch.arange(len(count)) <= search.where.radius
        inside[0] = False
        constant = ((2 * math.pi * search.model.noise).log() * (count * inside)).sum(1)
        return cls(
            Sums.zeros(search.model, search.options),
            Particles(*(field.clone() for field in particles)),
            constant,
        )

    def add(
        self, search: Search, block: Block, assignment: Assignment, rows: RowSums, place: Tensor
    ) -> Posterior:
        """Weigh the samples of a block and add everything that follows."""
        images = shifted(block.images.masked, block.phases)
        found = posterior(log_weights(images, block), search.options.significant_fraction)
        weights = found.combined()
        add_rows(block, weights, rows, place)
        spread = self._add_noise(search, block.images, found, residuals(images, block, weights))
        self._add_poses(search, block, assignment, weights.both)
        best = found.weight.flatten(1).argmax(1).cpu()
        self._update_particles(search, block.images, assignment, found, best, spread)
        return found

    def _add_noise(self, search: Search, images: Prepared, found: Posterior, parts: Residuals) -> Tensor:
        """Residuals by group, products for the scale of groups; returns the total residual of each
        particle."""
        beyond = torch.arange(images.power.shape[1], device=images.power.device) > search.where.radius
        inside = images.power * found.kept[:, None] - 2 * parts.cross + parts.power
        residual = torch.where(beyond, images.power, inside).cpu()
        group = search.data.group[images.numbers]
        self.sums.noise.index_add_(0, group, residual)
        self.sums.group_weight.index_add_(0, group, found.kept.cpu())
        scale = search.model.scale[group][:, None]
        self.sums.image_reference.index_add_(0, group, parts.cross_determined.cpu() / scale)
        self.sums.reference_reference.index_add_(0, group, parts.power_determined.cpu() / scale**2)
        return residual.sum(1)

    def _add_poses(self, search: Search, block: Block, assignment: Assignment, weight: Tensor) -> None:
        """Class shares and offsets, from weights ``(B, T, R)``."""
        member = search.member[assignment.class_row.to(weight.device)]
        by_class = (weight.flatten(0, 1) @ member).double().cpu().view(*weight.shape[:2], -1)  # (B, T, K')
        offset = block.images.shift[:, None] + assignment.offset_px  # (B, T, 2)
        self.sums.share[search.classes] += by_class.sum((0, 1))
        self.sums.offset[search.classes] += torch.einsum("btk,btc->kc", by_class, offset)
        away = offset[:, :, None] - search.model.class_offset[search.classes]
        self.sums.offset_squared += float((by_class * away.square().sum(-1)).sum())

    def _update_particles(
        self,
        search: Search,
        images: Prepared,
        assignment: Assignment,
        found: Posterior,
        best: Tensor,
        spread: Tensor,
    ) -> None:
        index, (rows, turns) = images.numbers, assignment.psi_deg.shape
        offset, turn, row = best // (rows * turns), best // rows % turns, best % rows
        out, group = self.particles, search.data.group[images.numbers]
        out.class_index[index] = search.classes[assignment.class_row[row]]
        out.psi_deg[index] = assignment.psi_deg[row, turn]
        out.offset_px[index] = images.shift + assignment.offset_px[offset]
        out.pmax[index] = found.weight.flatten(1).max(1).values.double().cpu()
        out.norm[index] = out.norm[index] / search.model.norm_mean * (2 * spread).sqrt()
        constant = _image_part(search, images) + self.image_constant[group]
        out.log_likelihood[index] = found.log_evidence.cpu() - constant
        self.sums.norm += float(out.norm[index].sum())
        self.sums.log_likelihood += float(out.log_likelihood[index].sum())
        self.sums.pmax += float(out.pmax[index].sum())


def _image_part(search: Search, images: Prepared) -> Tensor:
    """Half the squared image: over the noise inside, as it is beyond the current size (as RELION counts
    it)."""
    shell = torch.arange(images.power.shape[1], device=images.power.device)
    inside = (shell > 0) & (shell <= search.e_radius)
    value = torch.where(inside, images.power / images.noise, 0) + torch.where(
        shell > search.where.radius, images.power, 0
    )
    return value.sum(1).cpu() / 2
