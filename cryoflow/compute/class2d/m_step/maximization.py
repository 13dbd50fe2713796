"""The M-step: a new model from the sums of the E-step."""

from __future__ import annotations

import torch
from torch import Tensor

from cryoflow.compute.class2d.e_step.setup import EStepSetup
from cryoflow.compute.class2d.e_step.sums import Sums
from cryoflow.compute.class2d.gridding import radial_power
from cryoflow.compute.class2d.m_step.reconstruct import reconstruct
from cryoflow.compute.class2d.state import Model, Options
from cryoflow.compute.image.masks import outside_weight
from cryoflow.compute.image.shells import shell_indicator_once


def maximization(setup: EStepSetup, sums: Sums) -> Model:
    """The model that is most probable given the sums (and the spectra of the previous references as
    prior)."""
    total = float(sums.share.sum())
    model = _new_averages(setup, sums)
    used = (sums.share > 0)[:, None]
    return model._replace(
        share=sums.share / total,
        class_offset=torch.where(used, sums.offset / total, 0),
        noise=_new_noise(setup, sums),
        scale=_new_scale(setup, sums),
        norm_mean=sums.norm / total,
        offset_variance=sums.offset_squared / (2 * total),
        shell=resolution_shell(model.ssnr, setup.options),
        log_likelihood=sums.log_likelihood,
        mean_pmax=sums.pmax / total,
    )


def _new_averages(setup: EStepSetup, sums: Sums) -> Model:
    """Class averages and their spectra; zeros for classes without particles."""
    model, options = setup.model, setup.options
    used = (sums.share > 0).nonzero()[:, 0]
    tau2 = torch.zeros_like(model.tau2)
    tau2[setup.classes] = radial_power(setup.transform)
    average = reconstruct(
        sums.data[used], sums.weight[used], tau2[used], sums.share[used], setup.where.radius, options
    )
    flat = average.images * solvent_mask(options)

    def spread(values: Tensor) -> Tensor:
        out = values.new_zeros(len(model.share), *values.shape[1:])
        out[used] = values
        return out

    return model._replace(
        references=spread(flat),
        tau2=tau2,
        ssnr=spread(average.ssnr),
        sigma2=spread(average.sigma2),
        coverage=spread(average.coverage),
    )


def solvent_mask(options: Options) -> Tensor:
    """Soft disc of the mask diameter, ``(n, n)``."""
    radius = options.mask_diameter_a / (2 * options.pixel_size_a)
    return 1 - outside_weight(options.box, radius, options.mask_edge_px)


def resolution_shell(ssnr: Tensor, options: Options) -> int:
    """Last shell, of any class, up to which data outweigh the prior; never below the first shell with a
    prior."""
    resolved = (ssnr[:, 1 : options.box // 2] >= 1).long().cumprod(1).sum(1)
    return max(int(resolved.max()), options.first_prior_shell)


def _new_noise(setup: EStepSetup, sums: Sums) -> Tensor:
    """Residual variance of one of the two parts of a Fourier component; groups without particles keep
    theirs."""
    box = setup.options.box
    count = shell_indicator_once(box, box // 2).sum(0)
    seen = sums.group_weight > 0
    new = sums.noise / (2 * sums.group_weight.clamp_min(1e-300)[:, None] * count)
    return torch.where(seen[:, None], new, setup.model.noise)


def _new_scale(setup: EStepSetup, sums: Sums) -> Tensor:
    """Regression of images on references by group, within a factor 5 of the median, with a mean of 1."""
    scale = setup.model.scale
    if len(scale) == 1:
        return scale
    power = sums.reference_reference.sum(1)
    new = torch.where(power > 0, sums.image_reference.sum(1) / power.clamp_min(1e-300), 1.0)
    new = torch.where(sums.group_weight > 0, new, scale)
    median = new.sort().values[len(new) // 2]
    new = new.clamp(median / 5, 5 * median)
    sizes = setup.data.group_sizes.double()
    return new * sizes.sum() / (sizes * new).sum()
