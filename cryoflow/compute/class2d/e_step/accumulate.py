"""Bookkeeping of the E-step: new poses, and sums over particles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d.e_step.fine_sums import Residuals
from cryoflow.compute.class2d.e_step.posterior import Posterior
from cryoflow.compute.class2d.e_step.prepare import Prepared
from cryoflow.compute.class2d.e_step.setup import EStepSetup
from cryoflow.compute.class2d.e_step.sums import Sums
from cryoflow.compute.class2d.state import Particles


class Poses(NamedTuple):
    """Best class, angle and offset of B particles; CPU, float64."""

    place: Tensor
    """int64 ``(B,)``: class, among those that are not empty."""
    psi_deg: Tensor
    """``(B,)``"""
    offset_px: Tensor
    """``(B, 2)`` (y, x), on top of the whole pixels by which images were moved."""


@dataclass
class Record:
    """Sums so far, and the particles with the poses found so far."""

    sums: Sums
    particles: Particles
    image_constant: Tensor
    """``(G,)``: sum of log(2 pi s2) over the points of the likelihood, for each group."""

    @classmethod
    def start(cls, setup: EStepSetup, particles: Particles) -> Record:
        """Empty sums, particles unchanged."""
        count = setup.where.shell_sums.sum(0).cpu()
        inside = torch.arange(len(count)) <= setup.where.radius
        inside[0] = False
        constant = ((2 * math.pi * setup.model.noise).log() * (count * inside)).sum(1)
        return cls(
            Sums.zeros(setup.model, setup.options),
            Particles(*(field.clone() for field in particles)),
            constant,
        )

    def another(self, setup: EStepSetup) -> Record:
        """Empty sums and the same particles: a record for another thread."""
        return Record(Sums.zeros(setup.model, setup.options), self.particles, self.image_constant)

    def add_classes(self, setup: EStepSetup, moments: Tensor, shift: Tensor) -> None:
        """Shares and offsets of the classes: ``(K', B, 4)`` sums over samples of probability times 1, offset
        (y, x) and its square; offsets count from the whole pixels ``(B, 2)`` by which images were moved."""
        weight, offset, squared = torch.split(moments.double().cpu(), [1, 2, 1], 2)
        self.sums.share[setup.classes] += weight.sum((1, 2))
        self.sums.offset[setup.classes] += (weight * shift + offset).sum(1)
        start = shift - setup.model.class_offset[setup.classes][:, None]  # (K', B, 2)
        away = squared + 2 * (offset * start).sum(2, keepdim=True) + weight * start.square().sum(2, True)
        self.sums.offset_squared += float(away.sum())

    def add_particles(
        self,
        setup: EStepSetup,
        images: Prepared,
        posterior: Posterior,
        kept: Tensor,
        poses: Poses,
        parts: Residuals,
    ) -> None:
        """Add all other sums; ``kept`` ``(B,)`` is the weight that was kept."""
        spread = self._add_noise(setup, images, kept, parts)
        index, out, group = images.numbers, self.particles, setup.data.group[images.numbers]
        out.class_index[index] = setup.classes[poses.place]
        out.psi_deg[index], out.offset_px[index] = poses.psi_deg, images.shift + poses.offset_px
        out.pmax[index] = 1 / posterior.total.cpu()
        out.norm[index] = out.norm[index] / setup.model.norm_mean * (2 * spread).sqrt()
        constant = _image_part(setup, images) + self.image_constant[group]
        out.log_likelihood[index] = posterior.log_evidence.cpu() - constant
        self.sums.norm += float(out.norm[index].sum())
        self.sums.log_likelihood += float(out.log_likelihood[index].sum())
        self.sums.pmax += float(out.pmax[index].sum())

    def _add_noise(self, setup: EStepSetup, images: Prepared, kept: Tensor, parts: Residuals) -> Tensor:
        """Residuals by group, products for the scale of groups; returns the total residual of each
        particle."""
        beyond = torch.arange(images.power.shape[1], device=images.power.device) > setup.where.radius
        inside = images.power * kept[:, None] - 2 * parts.cross + parts.power
        residual = torch.where(beyond, images.power, inside).cpu()
        group = setup.data.group[images.numbers]
        self.sums.noise.index_add_(0, group, residual)
        self.sums.group_weight.index_add_(0, group, kept.cpu())
        scale = setup.model.scale[group][:, None]
        self.sums.image_reference.index_add_(0, group, parts.cross_determined.cpu() / scale)
        self.sums.reference_reference.index_add_(0, group, parts.power_determined.cpu() / scale**2)
        return residual.sum(1)


def _image_part(setup: EStepSetup, images: Prepared) -> Tensor:
    """Half the squared image: over the noise inside, as it is beyond the current size (as RELION counts
    it)."""
    shell = torch.arange(images.power.shape[1], device=images.power.device)
    inside = (shell > 0) & (shell <= setup.e_radius)
    value = torch.where(inside, images.power / images.noise, 0) + torch.where(
        shell > setup.where.radius, images.power, 0
    )
    return value.sum(1).cpu() / 2
