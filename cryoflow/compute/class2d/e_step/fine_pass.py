"""The fine pass over a chunk of particles: all offsets against the angles of some rows.

The weights are those of `cryoflow.compute.class2d.e_step.formula`. The image moved by all offsets is a
combination of a few functions (`shift_basis`), so that the products with the references are taken for these
alone, and weights are carried over to them before the next product.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d.batching import Machine
from cryoflow.compute.class2d.e_step.fine_grid import Chunk, FineGrid, pick
from cryoflow.compute.class2d.gridding import Rows, for_opposite_angles

MOST = 0.5
"""Share of the particles of a chunk above which a row is compared with all of them: that saves indexing."""


class RowScores(NamedTuple):
    """Scores of some rows for some particles of a chunk. Weights are relative to the best sample of row and
    particle."""

    rows: Tensor
    """int64 ``(r,)``"""
    members: Tensor
    """int64 ``(b,)``: places in the chunk."""
    top: Tensor
    """``(r, b)``: log weight of the best sample, -inf where there is none."""
    both: Tensor
    """``(r, 2, b, s + 4)``: weights of the functions, of an angle and of the one 180 degrees further; then
    sums of the weights times `moments`."""
    difference: Tensor
    """``(r, 2, b, s)``: weights of an angle, less those of the one 180 degrees further."""


def blocks(wanted: Tensor, classes: int) -> list[tuple[Tensor, Tensor]]:
    """Rows and members to compare together, from what each particle wants, bool ``(B, R)``.

    Rows that most particles want are taken for all of them; the others for each particle by itself, or, where
    many small products would take long, class by class.
    """
    members, every = (torch.arange(size, device=wanted.device) for size in wanted.shape)
    common = wanted.double().mean(0) > MOST
    found, rest = [(every[common], members)], wanted & ~common
    if one_by_one(wanted):
        found += [(mine.nonzero()[:, 0], member) for mine, member in zip(rest, members[:, None], strict=True)]
    else:
        for rows in every.view(classes, -1):
            mine = rest[:, rows]
            found.append((rows[mine.any(0)], mine.any(1).nonzero()[:, 0]))
    return [(rows, members) for rows, members in found if len(rows) and len(members)]


def one_by_one(where: Tensor) -> bool:
    """Whether products for a single particle are worthwhile."""
    return not where.is_cuda


def score_rows(chunk: Chunk, grid: FineGrid, rows: Tensor, members: Tensor, of: Machine) -> RowScores:
    """Score all samples of some rows for some particles; a few rows at a time, which fit into caches."""
    images, weight = chunk.masked.of(members), chunk.images.weight[members]
    size = max(1, of.cache // (4 * len(members) * len(grid.amplitude)))
    parts = []
    for some in torch.split(rows, size):
        mine, seen = Rows(*(field[..., grid.seen] for field in pick(grid.rows, some))), grid.seen
        real, imag = (
            (row.flatten(0, 1) @ image.flatten(0, 1)[:, seen].T).view(len(some), 2, len(members), -1)
            for row, image in ((mine.real, images.real), (mine.imag, images.imag))
        )
        norm = (mine.power.flatten(0, 1) @ weight[:, seen].T).view(real.shape[:3])
        logs = _log_weights(grid, real, imag, norm, _prior(chunk, some[:, None], members))
        parts.append(_fold(grid, logs))
    fields = zip(*parts, strict=True)
    return RowScores(rows, members, *(torch.cat(field) if len(parts) > 1 else field[0] for field in fields))


def gather_scores(seen: list[RowScores], chunk: Chunk) -> tuple[Tensor, Tensor]:
    """Log weights of the best samples ``(B, R)`` and moments ``(B, R, 4)`` of all rows and particles."""
    like, count, rows = chunk.masked.real, len(chunk.wanted), chunk.wanted.shape[3]
    top, moments = like.new_full((count, rows), -math.inf), like.new_zeros(count, rows, 4)
    for one in seen:
        place = one.members[:, None], one.rows
        top[place], moments[place] = one.top.T, one.both[..., -4:].sum(1).transpose(0, 1)
    return top, moments


def _prior(chunk: Chunk, rows: Tensor, members: Tensor) -> Tensor:
    """``(r, b, S, H)``, -inf where nothing is compared; for rows and members that broadcast to ``(r, b)``."""
    of_class = chunk.wanted.shape[3] // chunk.prior.shape[2]
    prior = chunk.prior[members, :, rows // of_class][..., None]
    return torch.where(chunk.wanted[members, :, :, rows], prior, -math.inf)


def _log_weights(grid: FineGrid, real: Tensor, imag: Tensor, norm: Tensor, prior: Tensor) -> Tensor:
    """``(r, H, 2, b, T)`` from products with the functions ``(r, 2, b, s)`` and norms ``(r, 2, b)``."""
    opposites, offsets = len(grid.psi_deg), len(grid.amplitude)
    mixed = real.new_empty(len(real), opposites, *real.shape[1:3], real.shape[3] + 1)
    for_opposite_angles(real, imag, mixed[..., :-1])
    mixed[..., -1] = norm[:, None] * -0.5
    spread = grid.folding[:, : mixed.shape[-1]]  # the amplitude, and ones
    logs = (mixed.flatten(0, 3) @ spread.T).view(*mixed.shape[:4], offsets)
    logs.view(*mixed.shape[:4], 4, offsets // 4).add_(prior.permute(0, 3, 1, 2)[:, :, None, :, None])
    return logs


def _fold(grid: FineGrid, logs: Tensor) -> tuple[Tensor, ...]:
    """Reduce log weights ``(r, H, 2, b, T)`` to the last three fields of a `RowScores`."""
    top = logs.amax(4).amax((1, 2))
    weight = logs.sub_(top.clamp_min(-1e30)[:, None, None, :, None]).exp_()
    if weight.shape[1] == 1:
        both = weight[:, 0] @ grid.folding
        return top, both, both[..., :-4]
    both = (weight[:, 0] + weight[:, 1]) @ grid.folding
    return top, both, (weight[:, 0] - weight[:, 1]) @ grid.amplitude


def best_samples(chunk: Chunk, grid: FineGrid, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Angle and offset of the best sample of each particle in its row ``(B,)``: places in `FineGrid.psi_deg`,
    flat, and in the offsets; int64 ``(B,)`` on the CPU."""
    mine, seen, angles = Rows(*(field[rows] for field in grid.rows)), grid.seen, grid.psi_deg.shape[1]
    real, imag = (
        (row[..., seen] @ image[..., seen].mT)[:, :, None]
        for row, image in ((mine.real, chunk.masked.real), (mine.imag, chunk.masked.imag))
    )
    norm = mine.power[..., seen] @ chunk.images.weight[:, seen, None]
    every = torch.arange(len(rows), device=rows.device)[:, None]
    logs = _log_weights(grid, real, imag, norm, _prior(chunk, rows[:, None], every))
    best, offsets = logs.flatten(1).argmax(1).cpu(), len(grid.amplitude)
    opposite, side = best // (2 * offsets), best // offsets % 2
    return (opposite * angles + rows.cpu() % angles) * 2 + side, best % offsets
