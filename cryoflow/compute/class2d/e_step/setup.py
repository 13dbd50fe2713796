"""Data shared by all particles in one E-step."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d.e_step.prepare import Geometry, geometry
from cryoflow.compute.class2d.gridding import reference_transform
from cryoflow.compute.class2d.sampling import ImageSizes, Points, points_within
from cryoflow.compute.class2d.state import Data, Model, Options
from cryoflow.compute.image.rotate import PaddedTransform
from cryoflow.compute.image.shells import shell_indicator

DETERMINED = 3.0
"""Data-over-prior ratio above which a shell of a reference is used to scale groups."""
LEAST_VARIANCE = 1e-4
"""Minimum offset variance, pixels squared: at zero, all offsets but one would have no weight."""


class EStepSetup(NamedTuple):
    """K' classes that are not empty, P points, S shells."""

    model: Model
    data: Data
    options: Options
    sizes: ImageSizes
    points: Points
    where: Geometry
    like: Tensor
    """Its device and precision are those of the matrix products."""
    classes: Tensor
    """int64 ``(K',)``: the classes that are not empty."""
    transform: PaddedTransform
    """Padded transform of these classes' references."""
    e_points: int
    """Points, from the first, that count in the likelihood."""
    e_radius: int
    shell: Tensor
    """One-hot ``(P, S)``."""
    determined: Tensor
    """``(K', S)``: 1 where a reference is well determined."""


def make_setup(model: Model, data: Data, options: Options, sizes: ImageSizes) -> EStepSetup:
    """Set up an E-step at the given image sizes."""
    like = data.images(torch.zeros(1, dtype=torch.int64))
    points = points_within(options.box, sizes.current // 2)
    classes = (model.share > 0).nonzero()[:, 0]
    limit = sizes.current if options.e_step_limit_a is None else sizes.coarse
    return EStepSetup(
        model, data, options, sizes, points,
        geometry(options, points, sizes.current, like.device), like, classes,
        reference_transform(model.references[classes], sizes.current // 2),
        points.within(limit // 2), limit // 2,
        shell_indicator(points.shell, options.shells).to(like),
        (model.ssnr[classes] > DETERMINED).to(like),
    )  # fmt: skip


def shift_phases(offsets: Tensor, points: Points, box: int, like: Tensor) -> Tensor:
    """Factors that move an image by ``offsets`` ``(T, 2)`` (y, x) pixels: complex ``(T, P)``."""
    angle = -2 * torch.pi / box * (offsets[:, :1] * points.y + offsets[:, 1:] * points.x)
    phases = torch.polar(torch.ones_like(angle), angle)
    return phases.to(
        device=like.device, dtype=torch.complex128 if like.dtype == torch.float64 else torch.complex64
    )


def log_prior(setup: EStepSetup, shift: Tensor, offsets: Tensor) -> Tensor:
    """Logarithm of class share times offset prior, each over its mean over all samples of a particle.

    Parameters
    ----------
    setup : EStepSetup
        Classes K', their shares and mean offsets.
    shift : Tensor
        ``(B, 2)``: whole pixels by which the images were moved already.
    offsets : Tensor
        ``(T, 2)``, or ``(B, T, 2)``: what is tried on top of that.

    Returns
    -------
    Tensor
        ``(B, T, K')``.
    """
    model, classes = setup.model, setup.classes
    total = (shift[:, None] + offsets)[:, :, None] - model.class_offset[classes]
    offset = -total.square().sum(-1) / (2 * max(model.offset_variance, LEAST_VARIANCE))
    offset = offset - torch.logsumexp(offset, (1, 2), keepdim=True) + math.log(offset[0].numel())
    share = model.share[classes].log() - model.share.mean().log()
    return (offset + share).to(setup.like)
