"""Give classes that have become empty a new start."""

from __future__ import annotations

import torch

from cryoflow.compute.class2d.mask import noise_image
from cryoflow.compute.class2d.maximization import resolution_shell, solvent_mask
from cryoflow.compute.class2d.types import Model, Options

OF_A_CLASS = (
    "references", "share", "class_offset", "ssnr", "tau2", "sigma2", "coverage", "accuracy_deg",
    "accuracy_px", "orientability",
)  # fmt: skip
"""Fields of a model that have a row for each class."""


def reseed_empty(model: Model, options: Options, generator: torch.Generator) -> Model:
    """Split the largest class in two, once for every empty class.

    The two get half of its share each. Their references are that of the largest plus and minus an image of
    the noise that is left in it: two averages that the data could as well have given, and different ones, so
    that the next iteration can part them. Beyond the resolution of the class they get none: the power of a
    reference is the prior of the next average, so that its noise would pass for resolution.

    Parameters
    ----------
    model : Model
        Is left as it is.
    options : Options
        Box and mask.
    generator : torch.Generator
        Source of the noise, on the CPU.
    """
    split = model._replace(**{name: getattr(model, name).clone() for name in OF_A_CLASS})
    for empty in (model.share == 0).nonzero()[:, 0].tolist():
        largest = int(split.share.argmax())
        for name in OF_A_CLASS:
            getattr(split, name)[empty] = getattr(split, name)[largest]
        spectrum = split.sigma2[largest].clone()
        spectrum[resolution_shell(split.ssnr[[largest]], options) + 1 :] = 0
        noise = noise_image(generator, spectrum) * solvent_mask(options)
        split.references[empty] -= noise
        split.references[largest] += noise
        split.share[[empty, largest]] /= 2
    return split
