"""The E-step: posterior over class, angle and offset of every particle, and the sums for the M-step.

CTF and noise stand on the image side (`prepare`), so that the cross terms of all samples are matrix products.
A
coarse pass at low resolution finds the samples with 99.9 % of the weight; the fine pass goes around these, in
blocks of particles that have much in common.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d.block import Block, log_weights, shifted
from cryoflow.compute.class2d.grid import Sampling
from cryoflow.compute.class2d.plan import Part, chunk_size, machine, plan_blocks
from cryoflow.compute.class2d.prepare import Prepared, prepare
from cryoflow.compute.class2d.project import Rows, turned_rows
from cryoflow.compute.class2d.record import Assignment, Record
from cryoflow.compute.class2d.search import Search, log_prior, shift_phases
from cryoflow.compute.class2d.sums import RowSums
from cryoflow.compute.class2d.types import Particles
from cryoflow.compute.class2d.weights import significant_threshold

UNCERTAIN = 1000
"""Significant samples from which on the pose of a particle counts as uncertain."""


def expectation(search: Search, particles: Particles, sampling: Sampling, subset: Tensor) -> Record:
    """Weigh all samples of the particles ``subset`` and add them up.

    Parameters
    ----------
    search : Search
        The references and everything else that is shared by the particles.
    particles : Particles
        Where the search of each particle starts.
    sampling : Sampling
        The grids; not looked at when poses are kept.
    subset : Tensor
        int64 ``(m,)`` indices of the particles to use.

    Returns
    -------
    Record
        Sums, and the particles with new poses.
    """
    record = Record.start(search, particles)
    if search.options.align:
        _search_poses(search, particles, sampling, _alike_together(particles, subset), record)
    else:
        _keep_poses(search, particles, subset, record)
    return record


def _alike_together(particles: Particles, subset: Tensor) -> Tensor:
    """Order particles so that neighbours tend to need the same references.

    First those whose pose was uncertain, which need nearly all; then by class and angle.
    """
    certain = particles.significant[subset] < UNCERTAIN
    key = certain * 1e9 + particles.class_index[subset] * 1e3 + particles.psi_deg[subset]
    return subset[key.argsort(stable=True)]


class Grid(NamedTuple):
    """Turned references and phases of both passes; H angles share a row (2 where angles have opposites)."""

    sampling: Sampling
    turns: int
    """H"""
    coarse: Rows
    fine: Rows
    coarse_phases: Tensor
    fine_phases: Tensor

    @property
    def angles(self) -> int:
        """Coarse angles that have rows of their own."""
        return len(self.sampling.psi_coarse) // self.turns


def _make_grid(search: Search, sampling: Sampling) -> Grid:
    coarse_points = search.points.within(search.sizes.coarse // 2)
    near = type(search.points)(*(field[:coarse_points] for field in search.points))
    turns = 1 if len(sampling.psi_coarse) % 2 else 2
    own = [psi[: len(psi) // turns] for psi in (sampling.psi_coarse, sampling.psi_fine)]
    return Grid(
        sampling,
        turns,
        turned_rows(search.transform, own[0], near, search.like),
        turned_rows(search.transform, own[1], search.points, search.like),
        shift_phases(sampling.offset_coarse, near, search.options.box, search.like),
        shift_phases(sampling.offset_fine, search.points, search.options.box, search.like),
    )


def _search_poses(
    search: Search, particles: Particles, sampling: Sampling, order: Tensor, record: Record
) -> None:
    grid = _make_grid(search, sampling)
    device, points = search.like.device, len(search.points.x)
    rows = RowSums.zeros(len(grid.fine.power), points, search.like)
    total = RowSums.zeros(len(grid.fine.power), points, search.like.double())
    samples = len(grid.coarse.power) * grid.turns * len(sampling.offset_coarse)
    size = chunk_size(samples, grid.coarse_phases.numel(), machine(device))
    for index in torch.split(order, size):
        images = prepare(index, search.data, search.model, particles, search.options, search.where)
        prior = log_prior(search, images.shift, sampling.offset_prior)
        significant = coarse_pass(grid, images, prior, search.options.significant_fraction)
        record.particles.significant[index] = significant.flatten(1).sum(1).cpu()
        for part in plan_blocks(significant, points, machine(device)):
            _fine_pass(search, grid, images, prior, significant, part, rows, record)
        rows.pour_into(total)
    psi = sampling.psi_fine[: 2 * grid.angles]
    record.sums.add_grids(search.classes, total, search.options.box, psi, search.points)


def coarse_pass(grid: Grid, images: Prepared, prior: Tensor, fraction: float) -> Tensor:
    """Coarse samples that carry ``fraction`` of the weight, bool ``(B, S, H, rows)``.

    ``prior`` is ``(B, S, classes)``.
    """
    points = grid.coarse_phases.shape[1]
    near = images._replace(masked=images.masked[:, :points], weight=images.weight[:, :points])
    empty = prior.new_zeros(0)
    every = _spread(prior.repeat_interleave(grid.angles, 2), grid.turns)
    block = Block(near, grid.coarse, grid.coarse_phases, every, points, empty, empty)
    values = log_weights(shifted(near.masked, grid.coarse_phases), block)
    flat = values.flatten(1)
    weights = flat.sub_(flat.max(1, keepdim=True).values).exp_().float()
    return (weights >= significant_threshold(weights, fraction)[:, None]).view(values.shape)


def _spread(prior: Tensor, turns: int) -> Tensor:
    """A prior ``(B, S, R)`` in the shape that blocks want, the same for all turns: ``(B, S, H, R)``."""
    return prior[:, :, None].expand(-1, -1, turns, -1)


def _fine_pass(
    search: Search,
    grid: Grid,
    chunk: Prepared,
    prior: Tensor,
    significant: Tensor,
    part: Part,
    rows: RowSums,
    record: Record,
) -> None:
    """One block of the fine pass around the significant samples of its particles."""
    images = Prepared(*(field[part.particles] for field in chunk))
    device = prior.device
    offsets, coarse_rows = part.offsets.to(device), part.rows.to(device)
    chosen = significant[part.particles][:, offsets][..., coarse_rows]
    chosen_prior = _spread(prior[part.particles][:, offsets][:, :, coarse_rows // grid.angles], grid.turns)
    fine_offsets = (4 * part.offsets[:, None] + torch.arange(4)).flatten()
    fine_rows = (2 * part.rows[:, None] + torch.arange(2)).flatten()
    class_row = fine_rows // (2 * grid.angles)
    place = fine_rows.to(device)
    block = Block(
        images,
        grid.fine.pick(place),
        grid.fine_phases[fine_offsets.to(device)],
        chosen_prior.masked_fill(~chosen, -math.inf).repeat_interleave(2, 3),
        search.e_points,
        search.shell,
        search.determined[class_row.to(device)],
    )
    opposite = torch.arange(grid.turns) * 2 * grid.angles
    psi = grid.sampling.psi_fine[(fine_rows % (2 * grid.angles))[:, None] + opposite]
    record.add(
        search, block, Assignment(class_row, psi, grid.sampling.offset_fine[fine_offsets]), rows, place
    )


def _keep_poses(search: Search, particles: Particles, subset: Tensor, record: Record) -> None:
    """Only classes: each particle at its own angle and offset."""
    size = chunk_size(
        len(search.classes), 2 * len(search.points.x) * len(search.classes), machine(search.like.device)
    )
    for index in torch.split(subset, size):
        images = prepare(index, search.data, search.model, particles, search.options, search.where)
        psi = particles.psi_deg[index]
        turned = turned_rows(search.transform, psi, search.points, search.like)
        rows = RowSums.zeros(len(turned.power), len(search.points.x), search.like)
        for i in range(len(index)):
            _one_pose(search, particles, images, turned, i, rows, record)
        record.sums.add_grids(search.classes, rows, search.options.box, psi, search.points)


def _one_pose(
    search: Search, particles: Particles, chunk: Prepared, turned: Rows, i: int, rows: RowSums, record: Record
) -> None:
    images = Prepared(*(field[i : i + 1] for field in chunk))
    place = torch.arange(len(search.classes)) * len(chunk.numbers) + i
    here = place.to(search.like.device)
    offset = particles.offset_px[images.numbers] - images.shift
    prior = log_prior(search, images.shift, offset)
    block = Block(
        images,
        turned.pick(here),
        shift_phases(offset, search.points, search.options.box, search.like),
        _spread(prior, 1),
        search.e_points,
        search.shell,
        search.determined,
    )
    psi = particles.psi_deg[images.numbers].expand(len(search.classes))[:, None]
    kept = record.add(search, block, Assignment(torch.arange(len(search.classes)), psi, offset), rows, here)
    record.particles.significant[images.numbers] = kept.samples.cpu()
