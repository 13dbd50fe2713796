"""The coarse pass: which samples carry nearly all of the weight at low resolution."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d.prepare import Prepared
from cryoflow.compute.class2d.project import Rows
from cryoflow.compute.class2d.shifts import moved
from cryoflow.compute.class2d.weights import negligible


class CoarseGrid(NamedTuple):
    """Samples of a class, S offsets and H x A angles, and what they are compared with. On the device."""

    turns: int
    """H; 2 where each row also stands for the angle 180 degrees further."""
    rows: Rows
    """``(K' * A, P)`` each, without the origin."""
    phases: Tensor
    """Complex ``(S, P)``, without the origin."""


def coarse_prior(grid: CoarseGrid, images: Prepared, prior: Tensor, fraction: float) -> Tensor:
    """Log prior of the coarse samples that carry ``fraction`` of the weight, -inf for the others.

    Parameters
    ----------
    grid : CoarseGrid
        The samples.
    images : Prepared
        B particles.
    prior : Tensor
        ``(B, S, K')``: log prior of class and offset.
    fraction : float
        1 keeps all.

    Returns
    -------
    Tensor
        ``(K', B, S, H, A)``.
    """
    by_sample = prior.permute(2, 0, 1)[..., None, None]
    shape = (len(by_sample), *prior.shape[:2], grid.turns, len(grid.rows.power) // len(by_sample))
    if fraction >= 1:
        return by_sample.expand(shape)
    values = _log_likelihood(grid, images).view(*prior.shape[:2], grid.turns, len(by_sample), -1)
    values += prior[:, :, None, :, None]
    flat = values.flatten(1)
    weights = flat.sub_(flat.amax(1, keepdim=True)).exp_()
    light = negligible(weights, fraction)
    return by_sample.expand(shape).masked_fill(light.view(values.shape).permute(3, 0, 1, 2, 4), -torch.inf)


def _log_likelihood(grid: CoarseGrid, images: Prepared) -> Tensor:
    """``(B, S, H, K' * A)``, without what depends on the image only."""
    near, rows = slice(1, 1 + grid.phases.shape[1]), grid.rows
    masked = moved(images.masked[:, near], grid.phases)
    norm = images.weight[:, near] @ rows.power.T
    real = masked.real.flatten(0, 1) @ rows.real.T
    imag = masked.imag.flatten(0, 1) @ rows.imag.T
    real.view(*masked.real.shape[:2], -1).sub_(norm[:, None], alpha=0.5)
    out = real.new_empty(len(real), grid.turns, len(rows.power))
    torch.add(real, imag, out=out[:, 0])
    if grid.turns == 2:
        torch.sub(real, imag, out=out[:, 1])
    return out.view(*masked.real.shape[:2], *out.shape[1:])
