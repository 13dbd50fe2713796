"""The E-step without alignment: only classes, each particle at its own angle and offset.

`cryoflow.compute.class2d.e_step.formula` with one angle and one offset, for many particles at once.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cryoflow.compute.class2d.batching import chunk_size, machine
from cryoflow.compute.class2d.e_step.accumulate import Poses, Record
from cryoflow.compute.class2d.e_step.fine_grid import moments
from cryoflow.compute.class2d.e_step.fine_sums import Residuals
from cryoflow.compute.class2d.e_step.posterior import normalise_posterior
from cryoflow.compute.class2d.e_step.prepare import prepare
from cryoflow.compute.class2d.e_step.setup import EStepSetup, log_prior, shift_phases
from cryoflow.compute.class2d.e_step.sums import RowSums
from cryoflow.compute.class2d.gridding import Rows, rotated_rows
from cryoflow.compute.class2d.state import Particles


def keep_poses(setup: EStepSetup, particles: Particles, subset: Tensor, record: Record) -> None:
    """Add the particles ``subset`` to ``record``."""
    size = chunk_size(8 * len(setup.points.x) * len(setup.classes), machine(setup.like.device))
    for index in torch.split(subset, size):
        _add(setup, particles, index, record)


def _add(setup: EStepSetup, particles: Particles, index: Tensor, record: Record) -> None:
    images = prepare(index, setup.data, setup.model, particles, setup.options, setup.where)
    psi, offset = particles.psi_deg[index], particles.offset_px[index] - images.shift
    phases = shift_phases(offset, setup.points, setup.options.box, setup.like)
    rotated = rotated_rows(setup.transform, psi, setup.points, setup.like)
    rows = Rows(*(field.view(len(setup.classes), len(index), -1) for field in rotated))
    masked, unmasked = images.masked * phases, images.unmasked * phases
    cross = rows.real * masked.real + rows.imag * masked.imag  # (K', B, P)
    power = rows.power * images.weight
    seen = slice(1, setup.e_points)
    log = (cross - power / 2)[..., seen].sum(-1) + log_prior(setup, images.shift, offset[:, None])[:, 0].T
    posterior = normalise_posterior(log.T, torch.ones_like(log.T), setup.options.significant_fraction)
    share = posterior.factor.T  # (K', B)
    record.add_classes(setup, share[..., None] * moments(offset).to(share.device), images.shift)
    record.particles.significant[index] = (share > 0).sum(0).cpu()
    parts = _residuals(setup, images.noise, cross, power, share)
    poses = Poses(posterior.best.cpu(), psi, offset)
    record.add_particles(setup, images, posterior, share.sum(0), poses, parts)
    weight, summed = share.to(setup.like)[..., None], (unmasked.real, unmasked.imag, images.weight)
    sums = RowSums(*((weight * image).flatten(0, 1) for image in summed))
    record.sums.add_grids(setup.classes, sums, setup.options.box, psi, setup.points)


def _residuals(setup: EStepSetup, noise: Tensor, cross: Tensor, power: Tensor, share: Tensor) -> Residuals:
    """Residuals from products ``(K', B, P)`` and shares ``(K', B)``."""

    def by_shell(values: Tensor) -> Tensor:
        return (values @ setup.shell).double() * noise * share[..., None]

    products, powers, good = by_shell(cross), by_shell(power), setup.determined[:, None].double()
    return Residuals(products.sum(0), powers.sum(0), (products * good).sum(0), (powers * good).sum(0))
