"""The E-step: posterior over class, angle and offset of every particle, and the sums for the M-step.

CTF and noise stand on the image side (`prepare`), so that the cross terms of all samples are matrix products.
A coarse pass at low resolution finds the samples with 99.9 % of the weight (`coarse`); the fine pass looks at
the classes that these belong to (`fine`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d.coarse import CoarseGrid, coarse_prior
from cryoflow.compute.class2d.fine import (
    Chunk,
    FineGrid,
    Look,
    Posterior,
    Powers,
    Shares,
    add_images,
    add_power,
    add_references,
    begin,
    best_sample,
    heavy_classes,
    looks,
    residuals,
    shares,
    weigh,
)
from cryoflow.compute.class2d.fixed import keep_poses
from cryoflow.compute.class2d.grid import Sampling
from cryoflow.compute.class2d.plan import Machine, chunk_size, machine
from cryoflow.compute.class2d.prepare import Prepared, prepare
from cryoflow.compute.class2d.project import Rows, radial_power, turned_rows
from cryoflow.compute.class2d.record import Poses, Record
from cryoflow.compute.class2d.search import Search, log_prior, shift_phases
from cryoflow.compute.class2d.shifts import shift_basis
from cryoflow.compute.class2d.sums import RowSums, sum_of
from cryoflow.compute.class2d.types import Particles
from cryoflow.compute.threads import one_thread_each

UNCERTAIN = 1000
"""Significant samples from which on the pose of a particle counts as uncertain."""

ERROR = 0.01
"""Root mean square error of a log weight that single precision may have from too few functions of offset."""


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
    if not search.options.align:
        keep_poses(search, particles, subset, record)
        return record
    device = search.like.device
    lanes = 1 if device.type == "cuda" else torch.get_num_threads()
    grids = _make_grids(search, sampling)
    chunks = torch.split(_alike_together(particles, subset), _chunk_size(grids, machine(device)))
    with one_thread_each(device.type) as run:
        dealt = [_Lane(search, grids, record, chunks[i::lanes]) for i in range(lanes)]
        list(run(lambda lane: lane.work(particles), dealt))
    record.sums = sum_of([lane.record.sums for lane in dealt])
    for lane in dealt[1:]:
        lane.total.pour_into(dealt[0].total)
    psi = grids.fine.psi_deg[0]
    record.sums.add_grids(search.classes, dealt[0].total, search.options.box, psi, search.points)
    return record


def _alike_together(particles: Particles, subset: Tensor) -> Tensor:
    """Order particles so that neighbours tend to need the same classes.

    First those whose pose was uncertain, which need nearly all; then by class and angle.
    """
    certain = particles.significant[subset] < UNCERTAIN
    key = certain * 1e9 + particles.class_index[subset] * 1e3 + particles.psi_deg[subset]
    return subset[key.argsort(stable=True)]


class _Grids(NamedTuple):
    sampling: Sampling
    coarse: CoarseGrid
    fine: FineGrid


def _make_grids(search: Search, sampling: Sampling) -> _Grids:
    """Turned references and phases of both passes; two angles share a row where angles have opposites."""
    turns = 1 if len(sampling.psi_coarse) % 2 else 2
    last = search.points.within(search.sizes.coarse // 2)
    near = type(search.points)(*(field[1:last] for field in search.points))
    own = sampling.psi_coarse[: len(sampling.psi_coarse) // turns]
    coarse = CoarseGrid(
        turns,
        turned_rows(search.transform, own, near, search.like),
        shift_phases(sampling.offset_coarse, near, search.options.box, search.like),
    )
    return _Grids(sampling, coarse, _fine_grid(search, sampling, turns))


def _fine_grid(search: Search, sampling: Sampling, turns: int) -> FineGrid:
    like, points = search.like, search.points
    psi = sampling.psi_fine.view(turns, -1, 2).transpose(1, 2).flatten(1)
    offset = sampling.offset_fine.view(-1, 4, 2).transpose(0, 1).flatten(0, 1)
    phases = shift_phases(offset, points, search.options.box, like)
    basis = shift_basis(phases, _signal_to_noise(search), 0.0 if like.dtype == torch.float64 else ERROR)
    flat = turned_rows(search.transform, psi[0], points, like)
    rows = Rows(*(field.view(len(search.classes), -1, len(points.x)) for field in flat))
    return FineGrid(
        psi, offset, rows, phases, basis.basis.to(phases), basis.amplitude.to(like),
        slice(1, search.e_points), search.determined, _determined_rows(search, rows), search.shell,
    )  # fmt: skip


def _determined_rows(search: Search, rows: Rows) -> Rows:
    """No points where there is one group of particles, which needs no scale."""
    good = search.determined @ search.shell.T  # (K', P)
    last = good.any(0).nonzero()
    low = int(last.max()) + 1 if len(last) and len(search.model.scale) > 1 else 0
    return Rows(*(field[..., :low] * good[:, None, :low] for field in rows))


def _signal_to_noise(search: Search) -> Tensor:
    """Largest power of any reference over the smallest noise variance, at each point but the origin."""
    noise, scale = search.model.noise.amin(0), search.model.scale.amax()
    ratio = 2 * radial_power(search.transform).amax(0) * scale**2 / noise
    out = ratio[search.points.shell]
    out[0] = 0
    return out


def _chunk_size(grids: _Grids, of: Machine) -> int:
    fine = grids.fine
    moved = 2 * fine.phases.shape[1] * (len(fine.phases) + 3 * len(fine.basis))
    return chunk_size(moved + len(fine.rows.power) * fine.psi_deg.numel() * len(fine.phases), of)


class _Lane:
    """A thread's share of the particles, and its sums."""

    def __init__(self, search: Search, grids: _Grids, record: Record, chunks: Sequence[Tensor]) -> None:
        rows = len(grids.fine.rows.power.flatten(0, 1)), len(search.points.x)
        self.search, self.grids, self.chunks = search, grids, chunks
        self.record = record.another(search)
        self.rows = RowSums.zeros(*rows, search.like)
        self.total = RowSums.zeros(*rows, search.like.double())

    def work(self, particles: Particles) -> None:
        """Do all chunks."""
        for index in self.chunks:
            search = self.search
            images = prepare(index, search.data, search.model, particles, search.options, search.where)
            self._add(images)
            self.rows.pour_into(self.total)

    def _add(self, images: Prepared) -> None:
        search, grids, fraction = self.search, self.grids, self.search.options.significant_fraction
        prior = log_prior(search, images.shift, grids.sampling.offset_prior)
        prior = coarse_prior(grids.coarse, images, prior, fraction)
        self.record.particles.significant[images.numbers] = (prior > -math.inf).sum((0, 2, 3, 4)).cpu()
        chunk = begin(images, grids.fine)
        seen = looks(chunk, grids.fine, prior)
        posterior = weigh(seen, len(images.numbers), len(prior))
        poses = self._poses(seen, posterior, len(images.numbers))
        heavy, powers = heavy_classes(posterior.share, fraction), Powers.zeros(images)
        for one in seen:
            if part := shares(one, posterior, heavy):
                self._add_classes(chunk, part, powers)
        kept = (posterior.share * heavy).sum(1)
        parts = residuals(chunk, grids.fine, powers)
        self.record.add_particles(search, images, posterior, kept, poses, parts)

    def _add_classes(self, chunk: Chunk, part: Shares, powers: Powers) -> None:
        fine = self.grids.fine
        add_images(chunk, part, self.rows)
        add_references(fine.amplitude, fine.rows, part, chunk.expected)
        if chunk.determined.real.numel():
            add_references(fine.amplitude, fine.rows_determined, part, chunk.determined)
        add_power(chunk, fine, part, powers)
        offset = chunk.images.shift[part.members.cpu(), None] + fine.offset_px
        self.record.add_classes(self.search, part.classes, part.both.sum(1), offset)

    def _poses(self, seen: Sequence[Look], posterior: Posterior, count: int) -> Poses:
        """Angle and offset of the best samples."""
        fine, best = self.grids.fine, torch.zeros(count, dtype=torch.int64)
        for one in seen:
            members, sample = best_sample(one, posterior.best)
            best[members.cpu()] = sample.cpu()
        offsets = len(fine.offset_px)
        return Poses(fine.psi_deg.flatten()[best // offsets], fine.offset_px[best % offsets])
