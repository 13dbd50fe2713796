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
from cryoflow.compute.class2d.e_step.setup import Search, log_prior, shift_phases
from cryoflow.compute.class2d.e_step.sums import RowSums
from cryoflow.compute.class2d.gridding import Rows, rotated_rows
from cryoflow.compute.class2d.state import Particles


def keep_poses(search: Search, particles: Particles, subset: Tensor, record: Record) -> None:
    """Add the particles ``subset`` to ``record``."""
    size = chunk_size(8 * len(search.points.x) * len(search.classes), machine(search.like.device))
    for index in torch.split(subset, size):
        _add(search, particles, index, record)


def _add(search: Search, particles: Particles, index: Tensor, record: Record) -> None:
    images = prepare(index, search.data, search.model, particles, search.options, search.where)
    psi, offset = particles.psi_deg[index], particles.offset_px[index] - images.shift
    phases = shift_phases(offset, search.points, search.options.box, search.like)
    turned = rotated_rows(search.transform, psi, search.points, search.like)
    rows = Rows(*(field.view(len(search.classes), len(index), -1) for field in turned))
    masked, unmasked = images.masked * phases, images.unmasked * phases
    cross = rows.real * masked.real + rows.imag * masked.imag  # (K', B, P)
    power = rows.power * images.weight
    seen = slice(1, search.e_points)
    log = (cross - power / 2)[..., seen].sum(-1) + log_prior(search, images.shift, offset[:, None])[:, 0].T
    posterior = normalise_posterior(log.T, torch.ones_like(log.T), search.options.significant_fraction)
    share = posterior.factor.T  # (K', B)
    record.add_classes(search, share[..., None] * moments(offset).to(share.device), images.shift)
    record.particles.significant[index] = (share > 0).sum(0).cpu()
    parts = _residuals(search, images.noise, cross, power, share)
    poses = Poses(posterior.best.cpu(), psi, offset)
    record.add_particles(search, images, posterior, share.sum(0), poses, parts)
    weight, summed = share.to(search.like)[..., None], (unmasked.real, unmasked.imag, images.weight)
    sums = RowSums(*((weight * image).flatten(0, 1) for image in summed))
    record.sums.add_grids(search.classes, sums, search.options.box, psi, search.points)


def _residuals(search: Search, noise: Tensor, cross: Tensor, power: Tensor, share: Tensor) -> Residuals:
    """From products ``(K', B, P)`` and shares ``(K', B)``."""

    def by_shell(values: Tensor) -> Tensor:
        return (values @ search.shell).double() * noise * share[..., None]

    products, powers, good = by_shell(cross), by_shell(power), search.determined[:, None].double()
    return Residuals(products.sum(0), powers.sum(0), (products * good).sum(0), (powers * good).sum(0))
