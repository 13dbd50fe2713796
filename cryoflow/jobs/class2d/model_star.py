"""The blocks of a ``_model.star``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cryoflow.compute.class2d import Model, Options, State
from cryoflow.files.star import Block
from cryoflow.files.star.types import Scalar


def model_blocks(
    state: State, options: Options, groups: Sequence[str], group: Tensor, images: Sequence[str]
) -> dict[str, Block]:
    """Everything about the model of an iteration.

    Parameters
    ----------
    state : State
        The iteration.
    options : Options
        Box and pixel size.
    groups : sequence of str
        Names of the groups.
    group : Tensor
        Group of each particle.
    images : sequence of str
        Image names of the class averages.
    """
    model = state.model
    blocks: dict[str, Block] = {
        "model_general": _general(state, options, len(groups)),
        "model_classes": _classes(model, options, images),
    }
    shells = _shells(options)
    for k in range(len(model.share)):
        blocks[f"model_class_{k + 1}"] = _spectra(model, shells, k)
    blocks["model_groups"] = _groups(model, groups, group)
    for g, noise in enumerate(model.noise.numpy()):
        seen = noise > 0  # RELION reads no row of zero noise
        blocks[f"model_group_{g + 1}"] = shells[["rlnSpectralIndex", "rlnResolution"]].assign(
            rlnSigma2Noise=noise
        )[seen]
    return blocks


def estimated_resolution(ssnr: Tensor, options: Options) -> Tensor:
    """Resolution of each class in A, ``(K,)``: the last of the first shells where data outweigh the prior."""
    return options.box * options.pixel_size_a / _resolved(ssnr).double()


def _resolved(ssnr: Tensor) -> Tensor:
    """Last of the first shells of each class where data outweigh the prior, int64 ``(K,)``; 0 without any."""
    return ((ssnr >= 1).long().cumprod(1).sum(1) - 1).clamp_min(0)


def _general(state: State, options: Options, groups: int) -> dict[str, Scalar]:
    model = state.model
    return {
        "rlnReferenceDimensionality": 2,
        "rlnDataDimensionality": 2,
        "rlnOriginalImageSize": options.box,
        "rlnCurrentResolution": options.box * options.pixel_size_a / model.shell,
        "rlnCurrentImageSize": state.current_size,
        "rlnPaddingFactor": 2.0,
        "rlnIsHelix": 0,
        "rlnFourierSpaceInterpolator": 1,
        "rlnMinRadiusNnInterpolation": 10,
        "rlnPixelSize": options.pixel_size_a,
        "rlnNrClasses": len(model.share),
        "rlnNrBodies": 1,
        "rlnNrGroups": groups,
        "rlnTau2FudgeFactor": options.tau_fudge,
        "rlnNormCorrectionAverage": model.norm_mean,
        "rlnSigmaOffsets": model.offset_variance**0.5,
        "rlnOrientationalPriorMode": 0,
        "rlnSigmaPriorRotAngle": 0.0,
        "rlnSigmaPriorTiltAngle": 0.0,
        "rlnSigmaPriorPsiAngle": 0.0,
        "rlnLogLikelihood": model.log_likelihood,
        "rlnAveragePmax": model.mean_pmax,
    }


def _classes(model: Model, options: Options, images: Sequence[str]) -> pd.DataFrame:
    resolution = estimated_resolution(model.ssnr, options)
    return pd.DataFrame(
        {
            "rlnReferenceImage": list(images),
            "rlnClassDistribution": model.share.numpy(),
            "rlnAccuracyRotations": model.accuracy_deg.numpy(),
            "rlnAccuracyTranslations": model.accuracy_px.numpy(),
            "rlnEstimatedResolution": resolution.numpy(),
            "rlnOverallFourierCompleteness": _total_coverage(model).numpy(),
            "rlnClassPriorOffsetX": model.class_offset[:, 1].numpy(),
            "rlnClassPriorOffsetY": model.class_offset[:, 0].numpy(),
        }
    )


def _total_coverage(model: Model) -> Tensor:
    """Share of Fourier components, in a sphere up to the class's resolution, where data outweigh the prior,
    ``(K,)``."""
    last = _resolved(model.ssnr)
    reach = int(last.max())
    axis = torch.arange(-reach - 1, reach + 2)
    shell = (axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2).double().sqrt().long()
    components = torch.bincount(shell.flatten())[: reach + 1]
    share = (model.coverage[:, : reach + 1] * components).cumsum(1) / components.cumsum(0)
    return share.gather(1, last[:, None])[:, 0]


def _shells(options: Options) -> pd.DataFrame:
    index = np.arange(options.shells)
    extent = options.box * options.pixel_size_a
    angstrom = np.where(index > 0, extent / np.maximum(index, 1), 999.0)
    return pd.DataFrame(
        {"rlnSpectralIndex": index, "rlnResolution": index / extent, "rlnAngstromResolution": angstrom}
    )


def _spectra(model: Model, shells: pd.DataFrame, k: int) -> pd.DataFrame:
    return shells.assign(
        rlnSsnrMap=model.ssnr[k].numpy(),
        rlnGoldStandardFsc=0.0,
        rlnFourierCompleteness=model.coverage[k].numpy(),
        rlnReferenceSigma2=model.sigma2[k].numpy(),
        rlnReferenceTau2=model.tau2[k].numpy(),
        rlnSpectralOrientabilityContribution=model.orientability[k].numpy(),
    )


def _groups(model: Model, groups: Sequence[str], group: Tensor) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "rlnGroupNumber": np.arange(len(groups)) + 1,
            "rlnGroupName": list(groups),
            "rlnGroupNrParticles": torch.bincount(group, minlength=len(groups)).numpy(),
            "rlnGroupScaleCorrection": model.scale.numpy(),
        }
    )
