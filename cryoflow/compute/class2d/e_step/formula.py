"""The E-step written out, for one particle and a few samples: the reference for the fast passes.

A sample is a class k, an in-plane angle psi and an offset d. With X the transform of the masked image, e_d
the phases that move an image by d, R the reference of class k rotated by psi, c the CTF times the grey scale
of the particle's group, and s2 the variance of the real and of the imaginary part of the noise::

    log w(k, psi, d) = log prior(k, d) - sum_q |X_q e_d(q) - c_q R_q|^2 / (2 s2_q)

over the Fourier points q that count in the likelihood, each conjugate pair once (Scheres 2012, J Mol Biol
415:406 and J Struct Biol 180:519). The posterior probabilities are these weights over their sum; the sums for
the M-step are expectations under them.

`coarse_pass`, `fine_pass` and `no_alignment` expand the square. They leave out ``|X|^2 / (2 s2)``, which is
the same for all samples (`image_term`), and take ``Re(conj(c R) X e_d) / s2`` and ``|c R|^2 / (2 s2)`` as
products of matrices. Tests compare each of them with this module.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d.e_step.fine_grid import moments
from cryoflow.compute.image.shells import shell_sums


class Observed(NamedTuple):
    """One particle at P Fourier points; transforms are divided by n^2, the image centre is at the origin."""

    masked: Tensor
    """X, complex128 ``(P,)``."""
    unmasked: Tensor
    """Transform of the image without masking, complex128 ``(P,)``."""
    contrast: Tensor
    """c, float64 ``(P,)``."""
    noise: Tensor
    """s2, float64 ``(P,)``."""
    shell: Tensor
    """int64 ``(P,)``."""


class Samples(NamedTuple):
    """K classes, A angles and D offsets, all combined."""

    references: Tensor
    """R, complex128 ``(K, A, P)``; 0 at points beyond the resolution of the references."""
    phases: Tensor
    """``exp(-2 pi i (ky dy + kx dx) / n)``, complex128 ``(D, P)``."""
    log_prior: Tensor
    """float64 ``(K, D)``."""
    offset_px: Tensor
    """float64 ``(D, 2)``, (y, x): content at p goes to p + d."""


class ExpectedSums(NamedTuple):
    """Contribution of one particle to the sums of the M-step; S shells."""

    moments: Tensor
    """``(K, 4)``: probability times 1, offset (y, x) and squared length of the offset."""
    cross: Tensor
    """``(S,)``: product of image and reference."""
    power: Tensor
    """``(S,)``: power of the reference."""
    data: Tensor
    """Complex ``(K, A, P)``: images moved back, times ``c / s2``, to be gridded at the angles."""
    weight: Tensor
    """``(K, A, P)``: ``c^2 / s2``."""


def log_posterior(image: Observed, samples: Samples, seen: Tensor) -> Tensor:
    """Log weights ``(K, A, D)``, up to the constant that makes probabilities of them.

    Parameters
    ----------
    image : Observed
        The particle.
    samples : Samples
        What is tried.
    seen : Tensor
        bool ``(P,)``: the points that count in the likelihood.
    """
    moved = image.masked * samples.phases
    difference = moved - (image.contrast * samples.references)[:, :, None]  # (K, A, D, P)
    chi_squared = difference.abs().square() / image.noise
    return samples.log_prior[:, None] - chi_squared[..., seen].sum(-1) / 2


def probabilities(log_weight: Tensor) -> Tensor:
    """Posterior probabilities ``(K, A, D)`` from log weights."""
    return log_weight.flatten().softmax(0).view_as(log_weight)


def log_likelihood(log_weight: Tensor, image: Observed, seen: Tensor) -> float:
    """Log of the density of the image at the points seen, with all samples summed."""
    constant = (2 * math.pi * image.noise[seen]).log().sum()
    return float(log_weight.flatten().logsumexp(0) - constant)


def image_term(image: Observed, seen: Tensor) -> float:
    """``sum |X|^2 / (2 s2)``, which the fast passes leave out of log weights."""
    return float((image.masked.abs().square() / image.noise)[seen].sum() / 2)


def expected_sums(image: Observed, samples: Samples, probability: Tensor, shells: int) -> ExpectedSums:
    """Expectations under the posterior ``(K, A, D)``, which need not add up to 1."""
    reference = image.contrast * samples.references
    moved = samples.phases * image.masked
    cross = torch.einsum("kad,kap,dp->p", probability.to(moved), reference.conj(), moved).real
    power = torch.einsum("kad,kap->p", probability, reference.abs().square())
    factor = image.contrast / image.noise
    back = samples.phases * image.unmasked * factor
    by_shell = shell_sums(torch.stack((cross, power)), image.shell, shells)
    return ExpectedSums(
        probability.sum(1) @ moments(samples.offset_px),
        by_shell[0],
        by_shell[1],
        torch.einsum("kad,dp->kap", probability.to(back), back),
        probability.sum(2)[..., None] * image.contrast * factor,
    )
