"""A particle as `cryoflow.compute.class2d.e_step.formula` takes it, made ready pixel by pixel."""

import itertools
import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cryoflow.compute.class2d import Data, Model, Options, Particles
from cryoflow.compute.class2d.e_step.formula import Observed, Samples
from cryoflow.compute.class2d.sampling import PoseSampling
from cryoflow.compute.image.ctf import CtfParameters, ctf_at
from cryoflow.compute.image.rotate import padded_transform
from helpers.rotated import rotated_transforms


class Problem(NamedTuple):
    """Particles, and what is known before an E-step."""

    model: Model
    data: Data
    options: Options
    particles: Particles
    images: np.ndarray


class Particle(NamedTuple):
    """One particle of a problem, ready for the formula."""

    y: Tensor
    x: Tensor
    """Frequencies of the points, int64 ``(P,)``."""
    observed: Observed
    samples: Samples
    """Offsets on top of ``shift``."""
    seen: Tensor
    """All points but the origin."""
    shift: np.ndarray
    """Whole pixels (y, x) by which the image was moved."""
    power: np.ndarray
    """``(S,)``: squared modulus of the masked image, up to the current size and beyond."""
    beyond: float
    """Its sum beyond the current size."""


def away(value: float) -> int:
    """Round half away from zero."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def moved(image: np.ndarray, dy: int, dx: int) -> np.ndarray:
    """Content at p goes to p + d; zeros come in."""
    out = np.zeros_like(image)
    for y, x in np.ndindex(*image.shape):
        if 0 <= y - dy < len(image) and 0 <= x - dx < len(image):
            out[y, x] = image[y - dy, x - dx]
    return out


def masked(image: np.ndarray, diameter_px: float) -> np.ndarray:
    """The mean of what lies outside of a disc put there, over an edge of 5 pixels."""
    y, x = np.mgrid[: len(image), : len(image)] - len(image) // 2
    outside = np.clip((np.hypot(y, x) - diameter_px / 2) / 5, 0, 1)
    outside = 0.5 - 0.5 * np.cos(np.pi * outside)
    return (1 - outside) * image + outside * (outside * image).sum() / outside.sum()


def transform(image: np.ndarray) -> np.ndarray:
    """Over n^2, image centre at the origin."""
    return np.fft.fft2(np.fft.ifftshift(image)) / image.size


def ctf_of(ctf: CtfParameters, i: int, q: tuple[int, int], o: Options) -> float:
    """CTF of particle i at one point."""
    one = CtfParameters(*(field[i] for field in ctf))
    extent = o.box * o.pixel_size_a
    return float(ctf_at(one, torch.tensor(q[0] / extent).double(), torch.tensor(q[1] / extent).double()))


def offset_priors(problem: Problem, shift: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Log prior of class and offset, each over its mean, ``(K, D)``."""
    away_from = (shift + offsets)[None] - problem.model.class_offset.numpy()[:, None]
    gauss = np.exp(-(away_from**2).sum(-1) / (2 * problem.model.offset_variance))
    share = problem.model.share.numpy()
    return np.log(gauss / gauss.mean()) + np.log(share / share.mean())[:, None]


def observe(problem: Problem, i: int, sampling: PoseSampling, size: int, fine: bool = True) -> Particle:
    """Particle i at an image size, and the fine or the coarse samples."""
    p, o, box, radius = problem, problem.options, problem.options.box, size // 2
    group = int(p.data.group[i])
    shift = np.array([away(float(v)) for v in p.particles.offset_px[i]])
    image = moved(p.images[i] * p.model.norm_mean / float(p.particles.norm[i]), *shift)
    whole = transform(masked(image, o.mask_diameter_a / o.pixel_size_a))
    plane = itertools.product(range(-box // 2 + 1, box // 2 + 1), range(box // 2 + 1))
    pairs = [q for q in plane if q[1] > 0 or q[0] >= 0]
    shell = {q: away(math.hypot(*q)) for q in pairs}
    inside = [q for q in pairs if shell[q] <= radius and not (q[0] == -radius and shell[q] == radius)]
    power, beyond = np.zeros(box // 2 + 1), 0.0
    for q in pairs:
        if q in inside or radius < shell[q] <= box // 2:
            power[shell[q]] += abs(whole[q]) ** 2
            beyond += abs(whole[q]) ** 2 if shell[q] > radius else 0
    shells = torch.tensor([shell[q] for q in inside])
    y, x = torch.tensor(inside).T
    ctf = float(p.model.scale[group]) * np.array([ctf_of(p.data.ctf, i, q, o) for q in inside])
    observed = Observed(
        torch.from_numpy(whole)[y, x], torch.from_numpy(transform(image))[y, x],
        torch.from_numpy(ctf),
        p.model.noise[group][shells], shells,
    )  # fmt: skip
    psi, offset = (
        (sampling.psi_fine, sampling.offset_fine) if fine else (sampling.psi_coarse, sampling.offset_coarse)
    )
    references = rotated_transforms(padded_transform(p.model.references, radius), psi)[..., y, x] / box**2
    phases = torch.exp(-2j * torch.pi * (y * offset[:, :1] + x * offset[:, 1:]) / box)
    prior = torch.from_numpy(offset_priors(p, shift, sampling.offset_prior.numpy()))
    prior = prior.repeat_interleave(len(offset) // prior.shape[1], 1)
    samples = Samples(references, phases, prior, offset)
    return Particle(y, x, observed, samples, shells > 0, shift, power, beyond)
