"""Figure-of-merit maps: how much better a position of a micrograph is explained by a reference than by
background.

With ``c = sum(A I)`` over the reference, n pixels in its disc, ``mu`` and ``sd`` of the background around the
disc, ``a1 = sum(A) / (n + 1)`` and ``a2 = sum(A^2) / (n + 1)``:
``ratio = exp((c / n - mu a1) / sd - a2 / 2)``, ``FOM = (ratio - 1) / (E - 1)``, E the ratio of a perfect
match (Scheres 2015, J Struct Biol 189:114). RELION adds a random term to E, which depends on the
micrograph's place in the list; here it is left at its expectation, 0.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.image.ctf import CtfParameters, ctf_at
from cryoflow.compute.pick.band import PairInverse
from cryoflow.compute.pick.exact_correlation import Places
from cryoflow.compute.pick.exact_peaks import make_peaks_exact
from cryoflow.compute.pick.low_rank import best_over_psi
from cryoflow.compute.pick.micrograph import remove_gradients
from cryoflow.compute.pick.ncc import LocalTemplates, local_norm
from cryoflow.compute.pick.search import Search
from cryoflow.compute.pick.search_grid import WorkGrid, sampled_transform
from cryoflow.compute.pick.templates import TemplateSums, number_type, template_sums
from cryoflow.errors import CryoflowError

_LEAST_VARIANCE = 1e-10
_LARGEST_EXPONENT = 80.0
_CPU_BATCH_BYTES = 2 << 20
"""Correlations held at a time on a CPU: few enough to stay in its caches."""


class Sampling(NamedTuple):
    """Positions of a map's samples on the micrograph: ``position = top + spacing * index``."""

    height: int
    """Micrograph, pixels."""
    width: int
    spacing: float
    top: float
    left: float


class FomMaps(NamedTuple):
    """Maps that peaks are found in, float32; the same when read back from disk."""

    fom: Tensor
    """Best figure of merit over the angles, ``(refs, h, w)``."""
    psi_deg: Tensor
    """Angle of the best, degrees, ``(refs, h, w)``."""
    sd: Tensor
    """Local sd of the background, ``(h, w)``."""
    mean: Tensor
    """Local mean of the background, ``(h, w)``."""
    expected: Tensor
    """Ratio of a perfect match, float64 ``(refs,)``."""
    sampling: Sampling


class Background(NamedTuple):
    """Local mean and sd around the disc, ``(h, w)`` each."""

    mean: Tensor
    sd: Tensor


class _Best(NamedTuple):
    correlation: Tensor
    psi_index: Tensor


class _Merits(NamedTuple):
    """Figures of merit of all references."""

    fom: Tensor
    psi_index: Tensor
    expected: Tensor


def fom_maps(
    search: Search,
    micrograph: Tensor,
    ctf: CtfParameters | None,
    first_peak: bool = False,
    merit: str = "relion",
    floor: float = math.inf,
) -> FomMaps:
    """Compare all references at all angles with all positions of a micrograph.

    Parameters
    ----------
    search : Search
        For micrographs of this size.
    micrograph : Tensor
        ``(height, width)``, normalised, device and precision as the search's.
    ctf : CtfParameters or None
        Scalars; None when the references are not CTF corrected.
    first_peak : bool
        Put the CTF at 1 up to its first peak.
    merit : {"relion", "ncc"}
        RELION's figure of merit, or the correlation coefficient under the disc, from -1 to 1.
    floor : float
        Where low-rank templates are compared, all peaks down to here get what exact ones give there.

    Raises
    ------
    CryoflowError
        When figures of merit are not finite.
    """
    transform = sampled_transform(micrograph, search.grid)
    if search.gradients is not None:
        y, x = search.grid.frequencies(transform.device)
        transform = transform * (1 - search.gradients.removed(y, x)).to(micrograph.dtype)
        micrograph = remove_gradients(micrograph, search.gradients)
    background = local_background(search, micrograph, transform)
    block = _correlated(search, transform)
    values = None if ctf is None else _ctf(search, ctf, first_peak)
    fom, index, expected = _MERITS[merit](search, block, values, background, floor)
    if not bool(fom.float().sum().isfinite()):
        raise CryoflowError(
            "figures of merit are not finite; check the grey values of micrograph and references"
        )
    # single precision as in files, whatever the search's precision: picks are then the same from both
    degrees = search.psi_deg.to(fom.device, torch.float32)
    return FomMaps(
        fom.float(),
        torch.stack([degrees[number.long()] for number in index]),  # one by one, to hold few integer maps
        background.sd.float(),
        background.mean.float(),
        expected,
        sampling_of(search.grid),
    )


def _relion_merits(
    search: Search, block: Tensor, ctf: Tensor | None, background: Background, floor: float
) -> _Merits:
    upright = search.upright
    if ctf is not None:
        block, upright = block * ctf, upright * ctf
    grid = search.grid
    sums = template_sums(upright, search.band, _area(grid), search.references.radius, grid.correlation_shift)
    correlation, psi_index = _best_of_all(search, block)
    pixels = int(search.references.disc.sum())
    fom = figure_of_merit(correlation.div_(pixels), background, sums)
    if search.exact is not None and floor < math.inf:
        places = Places(search.exact, search.band, grid, block)

        def exact(reference: int, row: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
            found, number = places.best(reference, row, column)
            around = Background(background.mean[row, column], background.sd[row, column])
            own = TemplateSums(*(value[reference : reference + 1] for value in sums))
            return figure_of_merit(found[None] / pixels, around, own)[0], number.to(psi_index.dtype)

        make_peaks_exact(fom, psi_index, exact, floor)
    return _Merits(fom, psi_index, sums.expected_ratio)


def _best_of_all(search: Search, block: Tensor) -> _Best:
    """`_best_over_psi` of every reference."""
    refs = len(search.upright)
    if search.low_rank is not None:
        return _Best(*best_over_psi(search.low_rank, refs, search.band, search.grid, block))
    best = [_best_over_psi(search, partial(search.pairs, number), block) for number in range(refs)]
    return _Best(torch.stack([b.correlation for b in best]), torch.stack([b.psi_index for b in best]))


def _coefficients(
    search: Search, block: Tensor, ctf: Tensor | None, background: Background, floor: float
) -> _Merits:
    del background, floor
    local = LocalTemplates(search, ctf)
    best = [
        _best_over_psi(search, partial(local.pairs, reference), block)
        for reference in range(len(search.upright))
    ]
    correlation = torch.stack([b.correlation for b in best])
    norm = local_norm(block, search.band, search.grid, local.disc)
    expected = torch.ones(len(best), dtype=torch.float64)
    return _Merits(correlation / norm, torch.stack([b.psi_index for b in best]), expected)


_MERITS: dict[str, Callable[[Search, Tensor, Tensor | None, Background, float], _Merits]] = {
    "relion": _relion_merits,
    "ncc": _coefficients,
}
"""By the name in the spec: from the micrograph's transform within the band, the CTF and the background."""


def figure_of_merit(correlation: Tensor, background: Background, sums: TemplateSums) -> Tensor:
    """FOM of correlations per pixel, ``c / n`` of shape ``(refs, h, w)``."""
    a1, a2 = (value.to(correlation) for value in sums)
    found = torch.empty_like(correlation)
    for of, target, mean, square in zip(correlation, found, a1, a2, strict=True):  # few maps at a time
        exponent = (of - background.mean * mean).div_(background.sd).sub_(square / 2)
        torch.expm1(exponent.clamp_(max=_LARGEST_EXPONENT), out=target).div_(torch.expm1(square / 2))
    return found


def local_background(search: Search, micrograph: Tensor, transform: Tensor) -> Background:
    """Mean and sd at every sample over the box outside the disc; sd 1 where there is no variance."""
    grid = search.grid
    # squares are 1 on average: with 1 instead of 0 outside the micrograph its border leaves no ringing
    squares = sampled_transform(micrograph, grid, lambda pixels: pixels.square().sub_(1))
    (h, w), shape = grid.inside, (grid.rows, grid.columns)
    both = torch.stack((transform, squares)) * (search.background / grid.spacing**2)
    mean, square = torch.fft.irfft2(both, s=shape)[:, :h, :w]
    variance = square + 1 - mean * mean
    return Background(mean, torch.where(variance > _LEAST_VARIANCE, variance, 1).sqrt())


def sampling_of(grid: WorkGrid) -> Sampling:
    """Sampling of the maps of a grid."""
    shift = grid.correlation_shift
    return Sampling(grid.height, grid.width, grid.spacing, grid.top + shift, grid.left + shift)


def _correlated(search: Search, transform: Tensor) -> Tensor:
    """The micrograph's transform within the band, moved and scaled so that products give sums over pixels."""
    band, shift = search.band, search.grid.correlation_shift
    block = band.cut(transform) / search.grid.spacing**2
    if shift:
        angle = 2 * torch.pi * shift * (band.y[:, None] + band.x)
        block = block * torch.polar(torch.ones_like(angle), angle).to(block.dtype)
    return block


def _ctf(search: Search, ctf: CtfParameters, first_peak: bool) -> Tensor:
    ky, kx = search.band.y / search.pixel_size_a, search.band.x / search.pixel_size_a
    parameters = CtfParameters(*(value.to(ky.device) for value in ctf))
    values = ctf_at(parameters, ky[:, None], kx[None, :], first_peak=first_peak)
    return values.to(search.upright.real.dtype)


def _area(grid: WorkGrid) -> float:
    return grid.rows * grid.columns * grid.spacing**2


def _best_over_psi(search: Search, pairs: Callable[[int, int], Tensor], block: Tensor) -> _Best:
    """Highest correlation and the angle that gives it, at every sample; the first in case of ties."""
    half, batch = search.distinct_psis, _batch(search)
    inverse = PairInverse(search.band, search.grid, batch, block)
    best = block.real.new_full((*search.grid.inside, 2), -torch.inf)  # below 180 degrees, and from there on
    index = torch.zeros_like(best, dtype=number_type(len(search.psi_deg)))
    better = torch.empty_like(index)
    for start in range(0, half, batch):
        for psi, values in enumerate(inverse.images(pairs(start, min(start + batch, half))), start):
            torch.gt(values, best, out=better)
            torch.maximum(index, better.mul_(psi), out=index)  # later angles have higher numbers
            torch.maximum(best, values, out=best)
    (first, second), (number, opposite) = best.unbind(-1), index.unbind(-1)
    if half == len(search.psi_deg):  # no angle has an opposite
        return _Best(first, number)
    return _Best(torch.maximum(first, second), torch.where(second > first, opposite + half, number))


def _batch(search: Search) -> int:
    """Number of pairs of correlations to hold at a time."""
    grid, device = search.grid, search.upright.device
    each = 2 * grid.rows * grid.columns * search.upright.element_size()
    budget = _CPU_BATCH_BYTES
    if device.type == "cuda":
        budget = torch.cuda.mem_get_info(device)[0] // 4
    return max(1, min(search.distinct_psis, budget // each))
