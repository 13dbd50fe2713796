"""Which particles to take together in the fine pass."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

ELEMENT = 400
"""Cost of touching one weight, one shifted point or one point of a row, in operations of a matrix product."""

MOST = 0.7
"""Share of the offsets or rows from which on all of them are taken."""


class Part(NamedTuple):
    """Neighbouring particles of a chunk, and the coarse offsets and rows that matter to any of them."""

    particles: slice
    offsets: Tensor
    rows: Tensor


class Machine(NamedTuple):
    """Rough numbers about a device."""

    call: float
    """Cost of the calls for one block, in floating-point operations of a matrix product."""
    memory: int
    """Bytes that a block, or the coarse pass of a chunk, may take."""
    chunk: int
    """Largest number of particles prepared at once."""


CPU = Machine(4e7, 1 << 24, 64)
CUDA = Machine(1e10, 1 << 31, 1024)


def machine(device: torch.device) -> Machine:
    """The numbers for ``device``."""
    return CUDA if device.type == "cuda" else CPU


def chunk_size(samples: int, points: int, of: Machine) -> int:
    """Particles to prepare at once, given the coarse samples and the shifted coarse points of each."""
    return max(1, min(of.chunk, of.memory // (16 * samples + 8 * points)))


def plan_blocks(significant: Tensor, points: int, of: Machine) -> list[Part]:
    """Cut a chunk into runs of 1, 2, 4 ... particles, whichever length promises the least work.

    Parameters
    ----------
    significant : Tensor
        bool ``(B, S, H, R)``: coarse samples of each particle around which the fine pass has to look.
    points : int
        Fourier points of the fine pass.
    of : Machine
        The device.
    """
    offsets, rows = significant.flatten(2).any(2).cpu(), significant.any(2).any(1).cpu()
    offsets, rows = (_all_or_few(flags) for flags in (offsets, rows))
    lengths = [1 << i for i in range(len(rows).bit_length())]
    runs = min((_runs(offsets, rows, length) for length in lengths), key=lambda run: _cost(run, points, of))
    starts = range(0, len(rows), runs.length)
    return [
        Part(
            slice(start, min(start + runs.length, len(rows))),
            runs.offsets[i].nonzero()[:, 0],
            runs.rows[i].nonzero()[:, 0],
        )
        for i, start in enumerate(starts)
    ]


def _all_or_few(flags: Tensor) -> Tensor:
    """Where most are wanted take all: that saves picking them out."""
    return flags | (flags.double().mean(1, keepdim=True) > MOST)


class _Runs(NamedTuple):
    length: int
    offsets: Tensor
    rows: Tensor


def _runs(offsets: Tensor, rows: Tensor, length: int) -> _Runs:
    return _Runs(length, _any_of(offsets, length), _any_of(rows, length))


def _any_of(flags: Tensor, length: int) -> Tensor:
    short = -len(flags) % length
    padded = torch.cat((flags, flags.new_zeros(short, flags.shape[1])))
    return padded.view(-1, length, flags.shape[1]).any(1)


def _cost(runs: _Runs, points: int, of: Machine) -> float:
    """Three products, the weights and the shifted images; infinite where a block would not fit."""
    moved = 4.0 * runs.offsets.sum(1) * runs.length
    rows = 2.0 * runs.rows.sum(1)
    if float((moved * (16 * rows + 32 * points)).max()) > of.memory and runs.length > 1:
        return float("inf")
    work = moved * rows * (12 * points + ELEMENT) + (moved + rows) * points * ELEMENT
    return float(work.sum()) + of.call * len(rows)
