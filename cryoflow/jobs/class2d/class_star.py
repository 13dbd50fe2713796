"""Properties of each class beyond RELION's labels: ``run_itNNN_classes.star``.

A separate file, since RELION 3.0 refuses unknown labels. Its tables:

``data_classes``, one row per class
    rlnClassNumber
        From 1.
    rlnClassDistribution
        Soft: share of the posterior weights of all particles; 0 for an empty class.
    cryoflowHardCount
        Hard: particles whose best pose is in the class, as rlnClassNumber in the particles' table has it.
    cryoflowEmpty
        1 for a class without any weight, whose average is written as zeros.
    cryoflowHalf1, cryoflowHalf2
        Sums of the posterior weights of two halves of the particles, chosen by their names.
    cryoflowFrcResolution
        A; last of the first shells where the averages of the two halves correlate at 0.143 or more; inf where
        the first one does not.
``data_class_frc``, one row per class and shell
    rlnClassNumber, rlnSpectralIndex, rlnResolution (1/A)
    cryoflowFrc
        Fourier ring correlation of the averages of the two halves, within the mask.

The halves share poses and references, so that fitted noise counts as signal: suited for comparing
classes, optimistic as a measure of detail. The last three columns and the second table are there in every
fifth iteration and in the last.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from cryoflow.compute.class2d import Halves, Options, State
from cryoflow.compute.class2d.m_step.half_sets import agreeing_shells
from cryoflow.files.star import Block


def class_blocks(state: State, options: Options) -> dict[str, Block]:
    """The tables of an iteration; see the module's docstring."""
    share = state.model.share
    members = state.particles.class_index
    classes = pd.DataFrame(
        {
            "rlnClassNumber": np.arange(1, len(share) + 1),
            "rlnClassDistribution": share.numpy(),
            "cryoflowHardCount": torch.bincount(members[members >= 0], minlength=len(share)).numpy(),
            "cryoflowEmpty": (share == 0).int().numpy(),
        }
    )
    if state.halves is None:
        return {"classes": classes}
    extent = options.box * options.pixel_size_a
    resolution = extent / agreeing_shells(state.halves.correlation).double()
    halves = {f"cryoflowHalf{i + 1}": half.numpy() for i, half in enumerate(state.halves.share)}
    return {
        "classes": classes.assign(**halves, cryoflowFrcResolution=resolution.numpy()),
        "class_frc": _correlations(state.halves, extent),
    }


def _correlations(halves: Halves, extent_a: float) -> pd.DataFrame:
    classes, shells = halves.correlation.shape
    shell = np.tile(np.arange(shells), classes)
    return pd.DataFrame(
        {
            "rlnClassNumber": np.repeat(np.arange(1, classes + 1), shells),
            "rlnSpectralIndex": shell,
            "rlnResolution": shell / extent_a,
            "cryoflowFrc": halves.correlation.flatten().numpy(),
        }
    )
