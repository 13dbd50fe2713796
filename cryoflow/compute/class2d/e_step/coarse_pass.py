"""The coarse pass: which samples carry nearly all of the weight at low resolution.

The weights are those of `cryoflow.compute.class2d.e_step.formula`, at all coarse samples and the points of
the coarse image size.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d.e_step.prepare import Prepared
from cryoflow.compute.class2d.e_step.shift_basis import moved
from cryoflow.compute.class2d.e_step.significant import heaviest
from cryoflow.compute.class2d.gridding import Rows, for_opposite_angles


class CoarseGrid(NamedTuple):
    """Samples of a class, S offsets and H x A angles, and what they are compared with. On the device."""

    opposites: int
    """H; 2 where each row also represents the angle 180 degrees further."""
    rows: Rows
    """``(R, P)`` each, R = K' * A, without the origin."""
    phases: Tensor
    """Complex ``(S, P)``, without the origin."""


def significant(grid: CoarseGrid, images: Prepared, prior: Tensor, fraction: float) -> Tensor:
    """Mark the coarse samples that carry ``fraction`` of the weight.

    Parameters
    ----------
    grid : CoarseGrid
        The samples.
    images : Prepared
        B particles.
    prior : Tensor
        ``(B, S, K')``: log prior of class and offset.
    fraction : float
        1 marks all.

    Returns
    -------
    Tensor
        Bool ``(B, S, H, R)``.
    """
    if fraction >= 1:
        shape = *prior.shape[:2], grid.opposites, len(grid.rows.power)
        return torch.ones(shape, dtype=torch.bool, device=prior.device)
    logs = coarse_log_weights(grid, images, prior)
    return heaviest(logs.flatten(1), fraction).view(logs.shape)


def coarse_log_weights(grid: CoarseGrid, images: Prepared, prior: Tensor) -> Tensor:
    """Log weights ``(B, S, H, R)`` of `formula.log_posterior`, without its `formula.image_term`."""
    near, rows, (count, offsets, classes) = slice(1, 1 + grid.phases.shape[1]), grid.rows, prior.shape
    masked = moved(images.masked[:, near], grid.phases)
    norm = (images.weight[:, near] @ rows.power.T).view(count, 1, classes, -1)
    real = torch.sub(prior[..., None], norm, alpha=0.5).view(count * offsets, -1)
    real.addmm_(masked.real.flatten(0, 1), rows.real.T)
    imag = masked.imag.flatten(0, 1) @ rows.imag.T
    out = real.new_empty(len(real), grid.opposites, real.shape[1])
    for_opposite_angles(real, imag, out)
    return out.view(count, offsets, *out.shape[1:])
