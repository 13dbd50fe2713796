"""The fine pass over a block: some particles, some offsets, some turned references, all against all."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d.prepare import Prepared
from cryoflow.compute.class2d.project import Rows
from cryoflow.compute.class2d.sums import RowSums
from cryoflow.compute.class2d.weights import significant_threshold


class Block(NamedTuple):
    """What to compare: B particles, T offsets, R rows, P points. All on the device of the images.

    Each row is for one angle (H = 1) or also for that plus 180 degrees (H = 2).
    """

    images: Prepared
    rows: Rows
    """``R`` rows."""
    phases: Tensor
    """Complex ``(T, P)``: factors that move an image by each offset."""
    log_prior: Tensor
    """``(B, S, H, R)``: logarithm of the prior, -inf for what is not looked at; T is a multiple of S."""
    points: int
    """Points, from the first, that the likelihood looks at; the origin never counts."""
    shell: Tensor
    """One-hot ``(P, S)``."""
    determined: Tensor
    """``(R, P')``: where the reference of a row is well determined, for the first P' points; for the
    scale."""


class Shifted(NamedTuple):
    """All images at all offsets as matrix rows, ``(B * T, P)`` each."""

    real: Tensor
    imag: Tensor


class Weights(NamedTuple):
    """Posterior probabilities of rows and of their turns by 180 degrees."""

    both: Tensor
    """``(B, T, R)``: their sum."""
    difference: Tensor
    """``(B, T, R)``: that of the row less that of its turn."""


class Posterior(NamedTuple):
    """Weights of a block and what follows from them for each particle."""

    weight: Tensor
    """``(B, T, H, R)``: posterior probabilities, zero for the last 0.1 %."""
    log_evidence: Tensor
    """float64 ``(B,)``: logarithm of the sum over samples, without the part that depends on the image
    only."""
    kept: Tensor
    """float64 ``(B,)``: sum of the weights kept."""
    samples: Tensor
    """int64 ``(B,)``: number of samples kept."""

    def combined(self) -> Weights:
        """Sums and differences of the weights of turns by 180 degrees."""
        first = self.weight[:, :, 0]
        if self.weight.shape[2] == 1:
            return Weights(first, first)
        second = self.weight[:, :, 1]
        return Weights(first + second, first - second)


class Residuals(NamedTuple):
    """float64 ``(B, S)`` each: sums over the points of a shell, in units of squared image transforms."""

    cross: Tensor
    """Weighted product of image and reference (with CTF and scale)."""
    power: Tensor
    """Weighted power of the reference (with CTF and scale)."""
    cross_determined: Tensor
    power_determined: Tensor


def shifted(transforms: Tensor, phases: Tensor) -> Shifted:
    """Images ``(B, P)`` moved by each of ``(T, P)`` phases."""
    moved = (transforms[:, None] * phases).flatten(0, 1)
    return Shifted(moved.real.contiguous(), moved.imag.contiguous())


def log_weights(images: Shifted, block: Block) -> Tensor:
    """``log prior + log likelihood`` ``(B, T, H, R)``, without what depends on the image only.

    The cross terms are one product of images and rows for the real and one for the imaginary parts; the norms
    another one, without offsets.
    """
    look, prior, rows = slice(1, block.points), block.log_prior, block.rows
    norms = block.images.weight[:, look] @ rows.power[:, look].T
    real = images.real[:, look] @ rows.real[:, look].T
    real.view(len(prior), -1, norms.shape[1]).sub_(norms[:, None], alpha=0.5)
    imag = images.imag[:, look] @ rows.imag[:, look].T
    out = real.new_empty(len(real), *prior.shape[2:])
    torch.add(real, imag, out=out[:, 0])
    if prior.shape[2] == 2:
        torch.sub(real, imag, out=out[:, 1])
    out.view(*prior.shape[:2], -1, *prior.shape[2:]).add_(prior[:, :, None])
    return out.view(len(prior), -1, *prior.shape[2:])


def posterior(log_weight: Tensor, fraction: float) -> Posterior:
    """Normalise over all samples of each particle and drop the lightest that carry ``1 - fraction``.

    Overwrites ``log_weight``.
    """
    flat = log_weight.flatten(1)
    top = flat.max(1, keepdim=True).values
    weight = flat.sub_(top).exp_()
    total = weight.sum(1, dtype=torch.float64)
    threshold = significant_threshold(weight.float(), fraction)
    keep = weight >= threshold[:, None]
    weight = weight.mul_(keep).div_(total[:, None].to(weight))
    evidence = top[:, 0].double() + total.log()
    return Posterior(weight.view(log_weight.shape), evidence, weight.sum(1, dtype=torch.float64), keep.sum(1))


def add_rows(block: Block, weights: Weights, sums: RowSums, place: Tensor) -> None:
    """Add the weighted images of a block to the rows ``place`` of ``sums``."""
    images = shifted(block.images.unmasked, block.phases)
    sums.real.index_add_(0, place, weights.both.flatten(0, 1).T @ images.real)
    sums.imag.index_add_(0, place, weights.difference.flatten(0, 1).T @ images.imag)
    sums.weight.index_add_(0, place, weights.both.sum(1).T @ block.images.weight)


def residuals(images: Shifted, block: Block, weights: Weights) -> Residuals:
    """Weighted products of images and references, shell by shell."""
    low = block.determined.shape[1]
    rows = block.rows
    half = Rows(*(field[:, :low] * block.determined for field in rows))

    def by_shell(by_point: Tensor) -> Tensor:
        return (by_point @ block.shell[: by_point.shape[1]]).double() * block.images.noise

    def cross(some: Rows) -> Tensor:
        points = some.power.shape[1]
        real = (weights.both.flatten(0, 1) @ some.real).mul_(images.real[:, :points])
        imag = (weights.difference.flatten(0, 1) @ some.imag).mul_(images.imag[:, :points])
        return by_shell(real.add_(imag).view(*weights.both.shape[:2], points).sum(1))

    def power(some: Rows) -> Tensor:
        points = some.power.shape[1]
        return by_shell((weights.both.sum(1) @ some.power) * block.images.weight[:, :points])

    return Residuals(cross(rows), power(rows), cross(half), power(half))
