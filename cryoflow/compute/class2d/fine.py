"""The fine pass over a chunk of particles: class by class, all offsets against all angles of a class.

The image moved by all offsets is a combination of a few functions (`shifts`), so that the products with the
references are taken for these alone, and weights are carried over to them before the next product.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d.prepare import Prepared
from cryoflow.compute.class2d.project import Rows
from cryoflow.compute.class2d.shifts import Moved, moved

MOST = 0.5
"""Share of the particles of a chunk from which on all of them are looked at: that saves picking them out."""


class FineGrid(NamedTuple):
    """Samples of a class, T offsets and H x J angles, and what they are compared with. On the device.

    J angles have rows of their own, and H = 2 where each row also stands for the angle 180 degrees further.
    """

    psi_deg: Tensor
    """``(H, J)``, CPU; two halves of J, each with one of the two fine angles of every coarse one."""
    offset_px: Tensor
    """``(T, 2)``, CPU; four quarters of T, each with one of the four fine offsets of every coarse one."""
    rows: Rows
    """``(K', J, P)`` each."""
    phases: Tensor
    """Complex ``(T, P)``."""
    basis: Tensor
    """Complex ``(s, P)``."""
    amplitude: Tensor
    """``(T, s)``: the phases are ``amplitude @ basis``."""
    seen: slice
    """Points that the likelihood looks at."""
    determined: Tensor
    """``(K', S)``: 1 where a reference is well determined; what is there tells the scale of groups."""
    rows_determined: Rows
    """``rows`` in these shells and zero elsewhere, up to the last of them (no points if there is no need)."""
    shell: Tensor
    """One-hot ``(P, S)``."""


class Chunk(NamedTuple):
    """B particles on their way through the fine pass."""

    images: Prepared
    masked: Moved
    """``(B, s, P)``, by the basis."""
    unmasked: Moved
    """``(B, T, P)``, by every offset."""
    expected: Moved
    """``(B, s, P)``: references weighted by the posterior, for the same functions; filled class by class."""
    determined: Moved
    """The same of those shells in which references are well determined, and up to the last of them only."""


class Look(NamedTuple):
    """Some classes seen by some particles of a chunk."""

    classes: Tensor
    """int64 ``(c,)``, counted among those that are not empty."""
    members: Tensor
    """int64 ``(b,)``: places in the chunk."""
    weight: Tensor
    """``(H, c, J, b, T)``: first the log weight, -inf for what is not looked at; then the weight over that of
    the best sample of each particle."""


class Posterior(NamedTuple):
    """What the weights say of each particle of a chunk, over K' classes. float64, on the device."""

    log_evidence: Tensor
    """``(B,)``: logarithm of the sum over samples, without what depends on the image only."""
    total: Tensor
    """``(B,)``: sum of the weights, that of the best sample being 1."""
    share: Tensor
    """``(B, K')``: share of each class in it."""
    best: Tensor
    """int64 ``(B,)``: class of the best sample."""


def begin(images: Prepared, grid: FineGrid) -> Chunk:
    """Move all images of a chunk."""
    masked = moved(images.masked, grid.basis)
    low = grid.rows_determined.power.shape[2]
    return Chunk(
        images, masked, moved(images.unmasked, grid.phases),
        Moved(*(torch.zeros_like(part) for part in masked)),
        Moved(*(torch.zeros_like(part[..., :low]) for part in masked)),
    )  # fmt: skip


def looks(chunk: Chunk, grid: FineGrid, prior: Tensor) -> list[Look]:
    """Log weights of all samples that have to be looked at.

    Classes that most particles need are taken together, for all particles; each of the others for those that
    need it.

    Parameters
    ----------
    chunk : Chunk
        B particles.
    grid : FineGrid
        What they are compared with.
    prior : Tensor
        ``(K', B, S, H, A)``: log prior of each coarse sample, -inf where there is no need to look.
    """
    wanted = (prior > -math.inf).flatten(2).any(2)  # (K', B)
    share = wanted.double().mean(1)
    blocks = [((share > MOST).nonzero()[:, 0], torch.arange(wanted.shape[1], device=wanted.device))]
    for k in ((share > 0) & (share <= MOST)).nonzero():
        blocks.append((k, wanted[int(k)].nonzero()[:, 0]))
    return [_look(chunk, grid, *block, prior) for block in blocks if len(block[0])]


def _look(chunk: Chunk, grid: FineGrid, classes: Tensor, members: Tensor, prior: Tensor) -> Look:
    """From the functions of the basis to the offsets, class by class: what that takes fits into caches."""
    mixed, wanted = _products(chunk, grid, classes, members), prior[classes][:, members]
    (turns, angles), offsets = grid.psi_deg.shape, len(grid.amplitude)
    spread = torch.cat((grid.amplitude, grid.amplitude.new_ones(offsets, 1)), 1)
    values = mixed.new_empty(turns, len(classes), angles, len(members), offsets)
    for turn in range(turns):
        for k, value in enumerate(values[turn]):
            torch.mm(mixed[turn, k].flatten(0, 1), spread.T, out=value.flatten(0, 1))
            by_coarse = wanted[k, :, :, turn].permute(2, 0, 1)[:, :, None]  # (A, b, 1, S)
            value.view(2, angles // 2, len(members), 4, offsets // 4).add_(by_coarse)
    return Look(classes, members, values)


def _products(chunk: Chunk, grid: FineGrid, classes: Tensor, members: Tensor) -> Tensor:
    """``(H, c, J, b, s + 1)``: with the image times each function of the basis, one product for the real and
    one for the imaginary parts; at the end the norms, which are the same for all offsets."""
    images, seen = chunk.masked.of(members), grid.seen
    rows = Rows(*(field.flatten(0, 1)[:, seen] for field in of_classes(grid.rows, classes)))
    (turns, angles), functions = grid.psi_deg.shape, len(grid.basis)
    real = rows.real @ images.real.flatten(0, 1)[:, seen].T
    imag = rows.imag @ images.imag.flatten(0, 1)[:, seen].T
    mixed = real.new_empty(turns, len(rows.power), len(members), functions + 1)
    parts = [part.view(*mixed.shape[1:3], functions) for part in (real, imag)]
    for turn, combine in enumerate((torch.add, torch.sub)[:turns]):
        combine(*parts, out=mixed[turn, ..., :-1])
    mixed[..., -1] = rows.power @ chunk.images.weight[members][:, seen].T * -0.5
    return mixed.view(turns, len(classes), angles, len(members), functions + 1)


def of_classes(rows: Rows, classes: Tensor) -> Rows:
    """The rows ``(c, J, P)`` of some classes; uncopied when these are all."""
    return rows if len(classes) == len(rows.power) else Rows(*(field[classes] for field in rows))


def weigh(seen: list[Look], particles: int, classes: int) -> Posterior:
    """Turn log weights into weights, in place, and add them up."""
    like = seen[0].weight
    top = like.new_full((particles, classes), -math.inf)
    for one in seen:
        top[one.members[:, None], one.classes] = one.weight.amax(4).amax((0, 2)).T
    highest, best = top.max(1)
    mass = torch.zeros_like(top, dtype=torch.float64)
    for one in seen:
        one.weight.sub_(highest[one.members][:, None]).exp_()
        mass[one.members[:, None], one.classes] = one.weight.sum(4).sum((0, 2), dtype=torch.float64).T
    total = mass.sum(1)
    return Posterior(highest.double() + total.log(), total, mass / total[:, None], best)


def heavy_classes(share: Tensor, fraction: float) -> Tensor:
    """Classes that together carry at least ``fraction`` of the weight of a particle, bool ``(B, K')``."""
    lightest = share.sort(1)
    dropped = lightest.values.cumsum(1) <= 1 - fraction
    return torch.ones_like(dropped).scatter(1, lightest.indices, ~dropped)


def best_sample(one: Look, best: Tensor) -> tuple[Tensor, Tensor]:
    """Particles whose best class is here, and their best samples among ``(H, J, T)``."""
    here = one.classes == best[one.members][:, None]  # (b, c)
    mine, place = here.nonzero(as_tuple=True)
    return one.members[mine], one.weight[:, place, :, mine].flatten(1).argmax(1)
