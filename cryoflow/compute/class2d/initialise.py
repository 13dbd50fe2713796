"""Initial model: noise spectra, and references from random classes and angles."""

from __future__ import annotations

import torch
from torch import Tensor

from cryoflow.compute.class2d.e_step.prepare import Geometry, ctf_values, geometry
from cryoflow.compute.class2d.gridding import grid_back
from cryoflow.compute.class2d.m_step.reconstruct import reconstruct
from cryoflow.compute.class2d.sampling import points_within, round_away
from cryoflow.compute.class2d.state import Changes, Data, Model, Options, Particles, State
from cryoflow.compute.image.fourier import frequencies, lowpass_mask
from cryoflow.compute.image.masks import mask_with_mean, outside_weight
from cryoflow.compute.image.shells import power_spectrum
from cryoflow.errors import CryoflowError

START_FREQUENCY = 0.07
"""Cycles per pixel up to which the first references go. RELION's go half as far, by their data: so much
alike that most of 20 classes of 1600 particles merged into two."""
START_OFFSET_PX = 10.0
"""First standard deviation of the offset prior."""
CHUNK = 256


def start(
    data: Data, classes: int, seeds: Tensor, options: Options, particles: Particles, first: int | None = None
) -> State:
    """State before the first iteration.

    Parameters
    ----------
    data : Data
        N particles.
    classes : int
        K.
    seeds : Tensor
        int64 ``(N,)``: of each particle's first class and angle.
    options : Options
        What stays fixed.
    particles : Particles
        Poses to begin with.
    first : int, optional
        Classes in use, the others stay empty; default all.

    Raises
    ------
    CryoflowError
        When the images of a group do not differ from their mean.
    """
    first = classes if first is None else first
    group_count, random = len(data.group_sizes), _random_poses(seeds, first)
    shell = round_away(START_FREQUENCY * options.box)
    where = geometry(options, points_within(options.box, shell), 2 * shell, torch.device("cpu"))
    power = torch.zeros(group_count, options.shells, dtype=torch.float64)
    mean = torch.zeros(options.box, options.box, dtype=torch.float64)
    grids = _Grids(classes, options.box)
    for index in torch.split(torch.arange(len(data.group)), CHUNK):
        images = _masked(index, data, options)
        mean += images.sum(0)
        transform = torch.fft.rfft2(images) / options.box**2
        power.index_add_(0, data.group[index], power_spectrum(transform))
        grids.add(index, transform, data, random, options, where)
    sizes = data.group_sizes.double()
    noise = _first_noise(power / sizes[:, None], mean / sizes.sum(), options)
    references = _first_references(grids, where, options)
    return State(
        0,
        _first_model(references, first, noise, sizes, shell, options),
        particles,
        0.0,
        0,
        0,
        Changes(999, 999, 9999999),
    )


def _random_poses(seeds: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """A class and an angle for each particle, from 24 bits each of its seed."""
    low, high = seeds & 0xFFFFFF, (seeds >> 24) & 0xFFFFFF
    return low * classes >> 24, high.double() * (360 / (1 << 24))


def _masked(index: Tensor, data: Data, options: Options) -> Tensor:
    images = data.images(index).double().cpu()
    if not options.zero_mask:
        return images
    radius = options.mask_diameter_a / (2 * options.pixel_size_a)
    return mask_with_mean(images, outside_weight(options.box, radius, options.mask_edge_px))


class _Grids:
    """Padded grids of the first references."""

    def __init__(self, classes: int, box: int) -> None:
        self.data = torch.zeros(classes, 2 * box, box + 1, dtype=torch.complex128)
        self.weight = torch.zeros(classes, 2 * box, box + 1, dtype=torch.float64)
        self.count = torch.zeros(classes, dtype=torch.float64)

    def add(
        self,
        index: Tensor,
        transform: Tensor,
        data: Data,
        random: tuple[Tensor, Tensor],
        options: Options,
        where: Geometry,
    ) -> None:
        """Grid each transform at its random angle into its random class."""
        values = transform.flatten(1)[:, where.position] * where.sign
        ctf = ctf_values(index, data, options, where)
        classes, psi = random[0][index], random[1][index]
        for k in torch.unique(classes).tolist():
            mine = classes == k
            parts = (values * ctf)[mine]
            gridded = grid_back(parts, ctf[mine].square(), options.box, psi[mine], where.points)
            self.data[k] += gridded[0][0]
            self.weight[k] += gridded[1][0]
            self.count[k] += float(mine.sum())


def _first_references(grids: _Grids, where: Geometry, options: Options) -> Tensor:
    """Averages, low-passed with an edge two Fourier pixels wide; zeros for a class that got no particle."""
    used = (grids.count > 0).nonzero()[:, 0]
    average = reconstruct(
        grids.data[used], grids.weight[used], None, torch.ones(len(used)).double(), where.radius, options
    )
    radius = frequencies(options.box, options.box, dtype=torch.float64).radius
    soft = lowpass_mask(radius, where.radius / options.box, 2 / options.box)
    images = torch.fft.irfft2(torch.fft.rfft2(average.images) * soft, s=(options.box, options.box))
    out: Tensor = images.new_zeros(len(grids.count), options.box, options.box)
    out[used] = images
    return out


def _first_noise(power: Tensor, mean: Tensor, options: Options) -> Tensor:
    """Half the mean power of the images less that of their mean; shells without a positive value take that
    of their neighbour."""
    of_mean = power_spectrum(torch.fft.rfft2(mean)[None] / options.box**2)[0]
    noise = (power - of_mean) / 2
    if not (noise > 0).any(1).all():
        raise CryoflowError(
            "noise cannot be estimated: all images are identical, or there is only one; "
            "give several particles"
        )
    for spectrum in noise:
        positive = (spectrum > 0).nonzero()[:, 0]
        for i in (spectrum <= 0).nonzero()[:, 0]:
            before = i > 0 and spectrum[i - 1] > 0
            spectrum[i] = spectrum[i - 1] if before else spectrum[positive[positive > i][0]]
    return noise


def _first_model(
    references: Tensor, first: int, noise: Tensor, sizes: Tensor, shell: int, options: Options
) -> Model:
    """Even shares of the first classes, unit scales, and the prior of the first references."""
    classes = len(references)
    share = torch.zeros(classes, dtype=torch.float64)
    share[:first] = 1 / first
    tau2 = options.tau_fudge * power_spectrum(torch.fft.rfft2(references) / options.box**2) / 2
    mean_noise = (sizes[:, None] * noise).sum(0) / sizes.sum()
    zeros = torch.zeros_like(tau2)
    ones = torch.ones(len(sizes), dtype=torch.float64)
    unknown = torch.zeros(classes, dtype=torch.float64)
    return Model(
        references, share, torch.zeros(classes, 2, dtype=torch.float64),
        tau2 * sizes.sum() * share[:, None] / mean_noise, tau2, zeros, zeros, noise, ones,
        1.0, START_OFFSET_PX**2, shell, 0.0, 0.0, unknown, unknown, zeros,
    )  # fmt: skip
