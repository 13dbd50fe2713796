"""The samples of both passes, and what they are compared with."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d.e_step.coarse_pass import CoarseGrid
from cryoflow.compute.class2d.e_step.fine_grid import FineGrid, moments
from cryoflow.compute.class2d.e_step.setup import EStepSetup, shift_phases
from cryoflow.compute.class2d.e_step.shift_basis import shift_basis
from cryoflow.compute.class2d.gridding import Rows, radial_power, rotated_rows
from cryoflow.compute.class2d.sampling import Points, PoseSampling

ERROR = 0.01
"""Root mean square error of a log weight that single precision may have from too few functions of offset."""
LEAST = 0.1
"""Signal over noise, by power, that every point has at least when functions of offset are chosen: class
averages are made of the same functions, also where references have no power yet."""


class Grids(NamedTuple):
    """Both passes of one iteration."""

    sampling: PoseSampling
    coarse: CoarseGrid
    fine: FineGrid


def make_grids(setup: EStepSetup, sampling: PoseSampling) -> Grids:
    """Rotated references and phases of both passes; two angles share a row where angles have opposites."""
    opposites = 1 if len(sampling.psi_coarse) % 2 else 2
    last = setup.points.within(setup.sizes.coarse // 2)
    near = Points(*(field[1:last] for field in setup.points))
    own = sampling.psi_coarse[: len(sampling.psi_coarse) // opposites]
    coarse = CoarseGrid(
        opposites,
        rotated_rows(setup.transform, own, near, setup.like),
        shift_phases(sampling.offset_coarse, near, setup.options.box, setup.like),
    )
    return Grids(sampling, coarse, _fine_grid(setup, sampling, opposites))


def _fine_grid(setup: EStepSetup, sampling: PoseSampling, opposites: int) -> FineGrid:
    like, points = setup.like, setup.points
    psi = sampling.psi_fine.view(opposites, -1, 2)
    offset = sampling.offset_fine.view(-1, 4, 2).transpose(0, 1).flatten(0, 1)
    phases = shift_phases(offset, points, setup.options.box, like)
    basis = shift_basis(phases, _signal_to_noise(setup), 0.0 if like.dtype == torch.float64 else ERROR)
    flat = rotated_rows(setup.transform, psi[0].flatten(), points, like)
    rows = Rows(*(field.view(-1, 2, len(points.x)) for field in flat))
    folding = torch.cat((basis.amplitude, moments(offset)), 1)
    return FineGrid(
        psi, offset, rows, basis.basis.to(phases), folding.to(like),
        slice(1, setup.e_points), _determined_rows(setup, rows), setup.shell,
    )  # fmt: skip


def _determined_rows(setup: EStepSetup, rows: Rows) -> Rows:
    """No points where there is one group of particles, which needs no scale."""
    good = setup.determined @ setup.shell.T  # (K', P)
    last = good.any(0).nonzero()
    low = int(last.max()) + 1 if len(last) and len(setup.model.scale) > 1 else 0
    by_row = good[:, :low].repeat_interleave(len(rows.power) // len(good), 0)[:, None]
    return Rows(*(field[..., :low] * by_row for field in rows))


def _signal_to_noise(setup: EStepSetup) -> Tensor:
    """Largest power of any reference over the smallest noise variance, at each point; at least `LEAST`."""
    noise, scale = setup.model.noise.amin(0), setup.model.scale.amax()
    ratio = 2 * radial_power(setup.transform).amax(0) * scale**2 / noise
    return ratio.clamp_min(LEAST)[setup.points.shell]
