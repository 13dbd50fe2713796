"""One thread's share of the E-step."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from cryoflow.compute.class2d.batching import machine
from cryoflow.compute.class2d.e_step.accumulate import Poses, Record
from cryoflow.compute.class2d.e_step.coarse_pass import significant
from cryoflow.compute.class2d.e_step.fine_grid import Chunk, begin
from cryoflow.compute.class2d.e_step.fine_pass import (
    RowScores,
    best_samples,
    blocks,
    gather_scores,
    score_rows,
)
from cryoflow.compute.class2d.e_step.fine_sums import (
    Expected,
    Residuals,
    add_expected,
    add_images,
    residuals,
    share_of,
)
from cryoflow.compute.class2d.e_step.grids import Grids
from cryoflow.compute.class2d.e_step.posterior import Posterior, normalise_posterior
from cryoflow.compute.class2d.e_step.prepare import Prepared, prepare
from cryoflow.compute.class2d.e_step.setup import EStepSetup, log_prior
from cryoflow.compute.class2d.e_step.sums import RowSums
from cryoflow.compute.class2d.state import Particles

FLUSH_EVERY = 512
"""Number of particles after which sums are flushed to double precision."""


class EStepWorker:
    """A thread's share of the particles, and its sums."""

    def __init__(self, setup: EStepSetup, grids: Grids, record: Record, chunks: Sequence[Tensor]) -> None:
        rows = 2 * len(grids.fine.rows.power), len(setup.points.x)
        self.setup, self.grids, self.chunks = setup, grids, chunks
        self.machine = machine(setup.like.device)
        self.record = record.another(setup)
        self.rows = RowSums.zeros(*rows, setup.like)
        self.total = RowSums.zeros(*rows, setup.like.double())

    def work(self, particles: Particles) -> None:
        """Process all chunks."""
        setup, since = self.setup, 0
        for index in self.chunks:
            images = prepare(index, setup.data, setup.model, particles, setup.options, setup.where)
            self._add(images)
            since += len(index)
            if since >= FLUSH_EVERY:
                self.rows.flush_into(self.total)
                since = 0
        self.rows.flush_into(self.total)

    def _add(self, images: Prepared) -> None:
        setup, fine, fraction = self.setup, self.grids.fine, self.setup.options.significant_fraction
        chunk = self._begin(images)
        rows = blocks(chunk.wanted.flatten(1, 2).any(1), len(setup.classes))
        seen = [score_rows(chunk, fine, *block, self.machine) for block in rows]
        top, moments = gather_scores(seen, chunk)
        posterior = normalise_posterior(top, moments[..., 0], fraction)
        moments = moments * posterior.factor[..., None]
        by_class = moments.view(len(top), len(setup.classes), -1, 4).sum(2)
        self.record.add_classes(setup, by_class.transpose(0, 1), images.shift)
        kept, parts = moments[..., 0].sum(1), self._add_sums(chunk, seen, posterior)
        self.record.add_particles(setup, images, posterior, kept, self._poses(chunk, posterior.best), parts)

    def _begin(self, images: Prepared) -> Chunk:
        setup, grids = self.setup, self.grids
        prior = log_prior(setup, images.shift, grids.sampling.offset_prior)
        wanted = significant(grids.coarse, images, prior, setup.options.significant_fraction)
        self.record.particles.significant[images.numbers] = wanted.flatten(1).sum(1).cpu()
        return begin(images, prior, wanted, grids.fine)

    def _add_sums(self, chunk: Chunk, seen: Sequence[RowScores], posterior: Posterior) -> Residuals:
        fine = self.grids.fine
        every, determined = (Expected.zeros(chunk, rows) for rows in (fine.rows, fine.rows_determined))
        for one in seen:
            part = share_of(one, posterior.factor)
            if len(part.rows):
                add_images(chunk, part, self.rows)
                add_expected(fine, part, every, determined)
        return residuals(chunk, fine, every, determined)

    def _poses(self, chunk: Chunk, row: Tensor) -> Poses:
        """Poses of the best samples, from their rows ``(B,)``."""
        fine = self.grids.fine
        angle, offset = best_samples(chunk, fine, row)
        return Poses(
            row.cpu() // fine.psi_deg.shape[1], fine.psi_deg.flatten()[angle], fine.offset_px[offset]
        )
