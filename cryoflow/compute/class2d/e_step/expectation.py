"""The E-step: posterior over class, angle and offset of every particle, and the sums for the M-step.

CTF and noise are applied to the images (`prepare`), so that the cross terms of all samples are matrix
products. A coarse pass at low resolution finds the samples with 99.9 % of the weight (`coarse_pass`); the
fine pass compares the finer samples of these, at all offsets for each class and angle among them
(`fine_pass`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from cryoflow.compute.class2d.batching import Machine, chunk_size, machine
from cryoflow.compute.class2d.e_step.accumulate import Record
from cryoflow.compute.class2d.e_step.grids import Grids, make_grids
from cryoflow.compute.class2d.e_step.no_alignment import keep_poses
from cryoflow.compute.class2d.e_step.setup import EStepSetup
from cryoflow.compute.class2d.e_step.sums import sum_of
from cryoflow.compute.class2d.e_step.worker import EStepWorker
from cryoflow.compute.class2d.sampling import PoseSampling
from cryoflow.compute.class2d.state import Particles
from cryoflow.compute.parallel import one_thread_each

UNCERTAIN = 1000
"""Number of significant samples above which a particle's pose counts as uncertain."""

COARSE_COPIES = 14
"""Single-precision numbers per coarse sample needed to select the significant ones."""


def expectation(setup: EStepSetup, particles: Particles, sampling: PoseSampling, subset: Tensor) -> Record:
    """Find the posterior of the particles ``subset`` and sum their expectations.

    Parameters
    ----------
    setup : EStepSetup
        The references and everything else that is shared by the particles.
    particles : Particles
        Where the search of each particle starts.
    sampling : PoseSampling
        The grids; not used when poses are kept.
    subset : Tensor
        int64 ``(m,)`` indices of the particles to use.

    Returns
    -------
    Record
        Sums, and the particles with new poses.
    """
    record = Record.start(setup, particles)
    if not setup.options.align:
        keep_poses(setup, particles, subset, record)
        return record
    device = setup.like.device
    count = 1 if device.type == "cuda" else torch.get_num_threads()
    grids = make_grids(setup, sampling)
    chunks = torch.split(_alike_together(particles, subset), _chunk_size(grids, machine(device)))
    with one_thread_each(device.type) as run:
        workers = [EStepWorker(setup, grids, record, chunks[i::count]) for i in range(count)]
        list(run(lambda worker: worker.work(particles), workers))
    record.sums = sum_of([worker.record.sums for worker in workers])
    for worker in workers[1:]:
        worker.total.flush_into(workers[0].total)
    psi = grids.fine.psi_deg[0].flatten()
    record.sums.add_grids(setup.classes, workers[0].total, setup.options.box, psi, setup.points)
    return record


def _alike_together(particles: Particles, subset: Tensor) -> Tensor:
    """Order particles so that neighbours tend to need the same classes.

    First those whose pose was uncertain, which need nearly all; then by class and angle.
    """
    certain = particles.significant[subset] < UNCERTAIN
    key = certain * 1e9 + particles.class_index[subset] * 1e3 + particles.psi_deg[subset]
    return subset[key.argsort(stable=True)]


def _chunk_size(grids: Grids, of: Machine) -> int:
    """Particles per chunk: shifted images, and for every row weights of functions and coarse samples, with
    copies."""
    (functions, points), coarse = grids.fine.basis.shape, grids.coarse
    weights = 8 * functions + COARSE_COPIES * coarse.opposites * len(coarse.phases)
    return chunk_size(8 * functions * points + weights * len(coarse.rows.power), of)
