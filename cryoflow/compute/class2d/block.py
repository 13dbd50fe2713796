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
    """What to compare: B particles, T offsets, R rows, P points. All on the device of the images."""

    images: Prepared
    rows: Rows
    """``R`` rows."""
    phases: Tensor
    """Complex ``(T, P)``: factors that move an image by each offset."""
    log_prior: Tensor
    """``(B, S, 1, O, 1)``: logarithm of the prior, -inf for what is not looked at; T = t S, and R = r O."""
    points: int
    """Points, from the first, that the likelihood looks at; the origin never counts."""
    shell: Tensor
    """One-hot ``(P, S)``."""
    determined: Tensor
    """``(R, P')``: where the reference of a row is well determined, for the first P' points; for the
    scale."""


class Posterior(NamedTuple):
    """Weights of a block and what follows from them for each particle."""

    weight: Tensor
    """``(B, T, R)``: posterior probabilities, zero for the last 0.1 %."""
    log_evidence: Tensor
    """float64 ``(B,)``: logarithm of the sum over samples, without the part that depends on the image
    only."""
    kept: Tensor
    """float64 ``(B,)``: sum of the weights kept."""
    samples: Tensor
    """int64 ``(B,)``: number of samples kept."""


class Residuals(NamedTuple):
    """float64 ``(B, S)`` each: sums over the points of a shell, in units of squared image transforms."""

    cross: Tensor
    """Weighted product of image and reference (with CTF and scale)."""
    power: Tensor
    """Weighted power of the reference (with CTF and scale)."""
    cross_determined: Tensor
    power_determined: Tensor


def shifted(transforms: Tensor, phases: Tensor) -> Tensor:
    """All images at all offsets as matrix rows ``(B * T, 2 P)``, real and imaginary parts side by side."""
    moved = torch.view_as_real(transforms[:, None] * phases)
    return moved.flatten(2).flatten(0, 1)


def log_weights(images: Tensor, block: Block) -> Tensor:
    """``log prior + log likelihood`` ``(B, T, R)``, without what depends on the image only.

    The cross terms are one product of the images (``(B * T, 2 P)``, from `shifted`) and the rows; the norms
    another one, without offsets.
    """
    first, last = 1, block.points
    prior = block.log_prior
    norms = block.images.weight[:, first:last] @ block.rows.power[:, first:last].T
    dots = images[:, 2 * first : 2 * last] @ block.rows.values[:, 2 * first : 2 * last].T
    out = dots.view(len(prior), -1, norms.shape[1]).sub_(norms[:, None], alpha=0.5)
    out.view(len(prior), prior.shape[1], -1, prior.shape[3], norms.shape[1] // prior.shape[3]).add_(prior)
    return out


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
    weight = weight.mul_(keep) / total[:, None].to(weight)
    evidence = top[:, 0].double() + total.log()
    return Posterior(weight.view(log_weight.shape), evidence, weight.sum(1, dtype=torch.float64), keep.sum(1))


def add_rows(block: Block, weight: Tensor, sums: RowSums, place: Tensor) -> None:
    """Add the weighted images of a block to the rows ``place`` of ``sums``."""
    flat = weight.flatten(0, 1)
    sums.data.index_add_(0, place, flat.T @ shifted(block.images.unmasked, block.phases))
    sums.weight.index_add_(0, place, weight.sum(1).T @ block.images.weight)


def residuals(images: Tensor, block: Block, weight: Tensor) -> Residuals:
    """Weighted products of images and references, shell by shell."""
    noise = block.images.noise
    low = block.determined.shape[1]
    flat, by_row = weight.flatten(0, 1), weight.sum(1)
    half = block.rows.values[:, : 2 * low] * block.determined.repeat_interleave(2, 1)

    def cross(rows: Tensor) -> Tensor:
        points = rows.shape[1] // 2
        product = (flat @ rows) * images[:, : 2 * points]
        by_point = product.view(*weight.shape[:2], points, 2).sum((1, 3))
        return (by_point @ block.shell[:points]).double() * noise

    def power(squared: Tensor) -> Tensor:
        points = squared.shape[1]
        by_point = (by_row @ squared) * block.images.weight[:, :points]
        return (by_point @ block.shell[:points]).double() * noise

    return Residuals(
        cross(block.rows.values), power(block.rows.power),
        cross(half), power(block.rows.power[:, :low] * block.determined),
    )  # fmt: skip
