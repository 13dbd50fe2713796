"""Reseed empty classes by splitting the largest."""

from __future__ import annotations

import torch
from torch import Tensor

from cryoflow.compute.class2d.m_step.maximization import resolution_shell, solvent_mask
from cryoflow.compute.class2d.state import Model, Options
from cryoflow.compute.image.masks import noise_image

OF_A_CLASS = (
    "references", "share", "class_offset", "ssnr", "tau2", "sigma2", "coverage", "accuracy_deg",
    "accuracy_px", "orientability",
)  # fmt: skip
"""Fields of a model that have a row for each class."""


def reseed_empty(
    model: Model, options: Options, generator: torch.Generator, wanted: int | None = None, least: float = 0.0
) -> Model:
    """Split the largest class in two, once for every class to reseed.

    The two share evenly what they had. Their references are that of the largest plus and minus an image of
    the noise that is left in it: two averages that the data could as well have given, and different ones, so
    that the next iteration can part them. Beyond the resolution of the class they get none: the power of a
    reference is the prior of the next average, so that its noise would pass for resolution.

    Parameters
    ----------
    model : Model
        Not modified.
    options : Options
        Box and mask.
    generator : torch.Generator
        Source of the noise, on the CPU.
    wanted : int, optional
        Empty classes are reseeded until this many are in use; default all.
    least : float
        Classes with a smaller share are reseeded too, whatever they contained.
    """
    split = model._replace(**{name: getattr(model, name).clone() for name in OF_A_CLASS})
    for target in _to_fill(model.share, len(model.share) if wanted is None else wanted, least):
        largest = int(split.share.argmax())
        share = (split.share[target] + split.share[largest]) / 2
        for name in OF_A_CLASS:
            getattr(split, name)[target] = getattr(split, name)[largest]
        spectrum = split.sigma2[largest].clone()
        spectrum[resolution_shell(split.ssnr[[largest]], options) + 1 :] = 0
        noise = noise_image(generator, spectrum) * solvent_mask(options)
        split.references[target] -= noise
        split.references[largest] += noise
        split.share[[target, largest]] = share
    return split


def _to_fill(share: Tensor, wanted: int, least: float) -> list[int]:
    """Indices of the classes with too small a share, and of as many empty ones as are wanted."""
    used = share > 0
    small = (used & (share < least)).nonzero()[:, 0].tolist()
    empty = (~used).nonzero()[:, 0].tolist()
    return small + empty[: max(0, wanted - int(used.sum()))]
