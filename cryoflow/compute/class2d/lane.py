"""One thread's share of the E-step."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from cryoflow.compute.class2d.coarse import coarse_prior
from cryoflow.compute.class2d.fine import (
    Chunk,
    Look,
    Posterior,
    begin,
    best_sample,
    heavy_classes,
    looks,
    weigh,
)
from cryoflow.compute.class2d.fine_sums import (
    Powers,
    Shares,
    add_images,
    add_power,
    add_references,
    residuals,
    shares,
)
from cryoflow.compute.class2d.prepare import Prepared, prepare
from cryoflow.compute.class2d.record import Poses, Record
from cryoflow.compute.class2d.search import Search, log_prior
from cryoflow.compute.class2d.search_grids import Grids
from cryoflow.compute.class2d.sums import RowSums
from cryoflow.compute.class2d.types import Particles


class Lane:
    """A thread's share of the particles, and its sums."""

    def __init__(self, search: Search, grids: Grids, record: Record, chunks: Sequence[Tensor]) -> None:
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
