"""Input, state and results of a classification."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.image.ctf import CtfParameters


class Options(NamedTuple):
    """Fixed settings of a classification. Angles in degrees, offsets in pixels, the rest in A."""

    box: int
    """n, pixels along a side of a particle image; even."""
    pixel_size_a: float
    mask_diameter_a: float
    tau_fudge: float = 2.0
    """T: factor on the estimated signal power."""
    correct_ctf: bool = True
    phase_flipped: bool = False
    first_peak: bool = False
    zero_mask: bool = True
    """Replace pixels outside the mask by their mean; otherwise by noise of the estimated spectrum."""
    align: bool = True
    """Search psi and offsets; otherwise only classes, at the poses given."""
    psi_step_deg: float = 12.0
    """Coarse step, twice the step of the fine grid."""
    offset_range_px: float = 5.0
    offset_step_px: float = 2.0
    """Coarse step, twice the step of the fine grid."""
    e_step_limit_a: float | None = None
    """Resolution, A, beyond which nothing counts in the likelihood."""
    mask_edge_px: float = 5.0
    significant_fraction: float = 0.999
    """Share of the weight that is kept in each pass; 1 for all samples, which makes the search exhaustive."""
    first_prior_shell: int = 5
    """Shells below this one get no prior and always count as resolved."""
    size_increment: int = 10
    gridding_rounds: int = 10

    @property
    def shells(self) -> int:
        """Number of shells, 0 to n / 2."""
        return self.box // 2 + 1


class Model(NamedTuple):
    """Quantities estimated from all particles: K classes, G groups, S shells. float64 on the CPU."""

    references: Tensor
    """``(K, n, n)``, solvent-flattened class averages; zeros for an empty class."""
    share: Tensor
    """``(K,)``, class distribution; sums to 1."""
    class_offset: Tensor
    """``(K, 2)``, centre of a class's offset prior (y, x), pixels: the sum of its offsets over the number of
    all particles, as RELION has it."""
    ssnr: Tensor
    """``(K, S)``, data over prior."""
    tau2: Tensor
    """``(K, S)``, power of the reference, half its mean squared modulus."""
    sigma2: Tensor
    """``(K, S)``, noise power left in the average."""
    coverage: Tensor
    """``(K, S)``, share of the points of a shell where data outweigh the prior."""
    noise: Tensor
    """``(G, S)``, variance of the real and of the imaginary part of the noise, transforms divided by n^2."""
    scale: Tensor
    """``(G,)``, grey scale of a group relative to the references."""
    norm_mean: float
    offset_variance: float
    """Pixels squared, per axis."""
    shell: int
    """Current resolution, in Fourier pixels."""
    log_likelihood: float
    mean_pmax: float
    accuracy_deg: Tensor
    """``(K,)``, smallest rotation that the data could distinguish (P = 0.01); 999 for (nearly) empty
    classes."""
    accuracy_px: Tensor
    """``(K,)``, the same for offsets."""
    orientability: Tensor
    """``(K, S)``, share of each shell in distinguishing rotations."""


class Particles(NamedTuple):
    """Quantities estimated for each of N particles. CPU tensors, float64 unless stated otherwise."""

    psi_deg: Tensor
    """``(N,)``"""
    offset_px: Tensor
    """``(N, 2)``, (y, x): moving the image by it brings it onto the reference."""
    class_index: Tensor
    """``(N,)`` int64, from 0; -1 before the first iteration."""
    norm: Tensor
    """``(N,)``, grey-scale spread by which an image is divided."""
    log_likelihood: Tensor
    pmax: Tensor
    """``(N,)``, weight of the best sample."""
    significant: Tensor
    """``(N,)`` int64, number of coarse samples that carry 99.9 % of the weight."""


class Data(NamedTuple):
    """The particles as they were measured. Device and precision of the images decide where and how it is
    computed."""

    images: Callable[[Tensor], Tensor]
    """Takes int64 indices ``(m,)`` and gives images ``(m, n, n)``."""
    ctf: CtfParameters
    """Fields ``(N,)``, float64."""
    group: Tensor
    """``(N,)`` int64, from 0: particles that share a noise spectrum and a scale."""
    seed: Tensor
    """``(N,)`` int64, random, tied to the name of a particle and not to its place in the list."""

    @property
    def group_sizes(self) -> Tensor:
        """``(G,)``, particles in each group."""
        return torch.bincount(self.group)


class Changes(NamedTuple):
    """Changes of poses and classes in an iteration."""

    psi_deg: float
    """Mean absolute change; from 359 to 1 degree is 358, as RELION counts."""
    offset_px: float
    """Root mean square per axis."""
    classes: float
    """Share of particles that changed class."""


class Halves(NamedTuple):
    """Averages of two halves of the particles, compared. float64 on the CPU."""

    correlation: Tensor
    """``(K, S)``: Fourier ring correlation of the two averages of each class; 0 where there is nothing to
    compare."""
    share: Tensor
    """``(2, K)``: sum of the posterior weights of each half's particles."""


class State(NamedTuple):
    """Everything that the next iteration needs, and further results of this one."""

    iteration: int
    model: Model
    particles: Particles
    perturbation: float
    """Fraction of a coarse step by which the grid of this iteration was moved."""
    current_size: int
    """Box of the transforms used in this iteration; 0 before the first."""
    coarse_size: int
    changes: Changes
    halves: Halves | None = None
    """Only for iterations that compared halves."""
