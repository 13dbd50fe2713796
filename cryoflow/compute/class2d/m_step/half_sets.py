"""Averages of two halves of the particles inside each class, and how far they agree."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cryoflow.compute.class2d.e_step.setup import EStepSetup
from cryoflow.compute.class2d.e_step.sums import Sums
from cryoflow.compute.class2d.m_step.maximization import solvent_mask
from cryoflow.compute.class2d.m_step.reconstruct import reconstruct
from cryoflow.compute.class2d.state import Halves
from cryoflow.compute.image.ring_correlation import ring_correlation

AGREEMENT = 0.143
"""Correlation of half-set averages at which the whole average correlates 0.5 with the truth (Rosenthal and
Henderson 2003, J Mol Biol 333:721)."""


def half_of(seed: Tensor) -> Tensor:
    """Half of each particle, 0 or 1 ``(N,)``: a bit of its seed, so that neither its place in the list nor
    the iteration matters."""
    return (seed >> 1) & 1


def compare_halves(setup: EStepSetup, halves: Sequence[Sums]) -> Halves:
    """Average each half, without a prior, and correlate the averages within the mask.

    A prior would damp the shells with more noise than signal, and what the mask carries there from stronger
    shells would correlate.

    Parameters
    ----------
    setup : EStepSetup
        The E-step that the sums come from.
    halves : sequence of Sums
        Two: sums over the particles of each half.
    """
    share = torch.stack([sums.share for sums in halves])
    used = (share > 0).all(0).nonzero()[:, 0]
    correlation = torch.zeros(share.shape[1], setup.options.shells, dtype=torch.float64)
    if len(used):
        one, other = (_averages(setup, sums, used) for sums in halves)
        filled = slice(setup.where.radius + 1)
        correlation[used, filled] = ring_correlation(one, other)[:, filled]
    return Halves(correlation, share)


def _averages(setup: EStepSetup, sums: Sums, used: Tensor) -> Tensor:
    average = reconstruct(
        sums.data[used], sums.weight[used], None, sums.share[used], setup.where.radius, setup.options
    )
    return average.images * solvent_mask(setup.options)


def agreeing_shells(correlation: Tensor) -> Tensor:
    """Last of the first shells in which halves agree, int64 ``(K,)``; 0 if the first one does not."""
    return (correlation[:, 1:] >= AGREEMENT).long().cumprod(1).sum(1)
