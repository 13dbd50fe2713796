"""All references at all angles as sums of a few basis templates: fewer inverse FFTs, and one product.

Rotated references are very similar: of a disc of radius R, up to frequency k, only some ``(pi R k)^2``
numbers can differ. Rotating a reference is a phase at each angular order, so that a singular value
decomposition over references, order by order, finds the basis. A basis of rank r leaves r inverse FFTs and,
at every sample, a small product per order and one from orders to angles. A template at psi + 180 degrees is
the mirror image of that at psi: even and odd orders of these angles give both, ``C(psi) = Ce + Co``, ``C(psi
+ 180) = Ce - Co``.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.parallel import single_threads
from cryoflow.compute.pick.band import Band, PairInverse, paired
from cryoflow.compute.pick.search_grid import WorkGrid
from cryoflow.compute.pick.templates import FineTransform, number_type, rotated_templates, templates_at

FLOOR = 0.1
"""Weight of frequency 0 against that of the limit, when errors are measured: a CTF leaves little there."""
WORTH = 0.6
"""A basis larger than this fraction of all reference-angle pairs costs as much as they do."""
_CPU_BYTES = 1 << 29
"""Maximum bytes of correlations with the basis on a CPU; on a GPU a quarter of the free memory."""


_PARTS = 8
"""Parts of the frequencies that threads share when the basis is computed."""


class _Batches(NamedTuple):
    transforms: int
    """Inverse FFTs at a time, of two basis templates each."""
    values: int
    """Correlations with references and angles held at a time."""

    def samples(self, pairs: int) -> int:
        """Samples to compare at a time with ``pairs`` of references and angles: whole cache lines."""
        return max(1, self.values // pairs // 32) * 32


_CPU, _GPU = _Batches(2, 5 << 17), _Batches(32, 1 << 25)  # a CPU's fit its caches


class Orders(NamedTuple):
    """The even or the odd angular orders: how templates are combined from basis templates."""

    rows: list[int]
    """Basis templates of each order."""
    mix: tuple[Tensor, ...]
    """To real and imaginary part of each reference at an order, ``(2 refs, rows)`` each."""
    rotate: Tensor
    """Matrix from these parts to the angles below 180 degrees, ``(psis, 2 orders)``."""

    def values(self, basis: Tensor, mixed: Tensor, out: Tensor) -> None:
        """Expand values of the basis to references and angles, into ``out``.

        Parameters
        ----------
        basis : Tensor
            ``(rows, n)``.
        mixed : Tensor
            Room for at least ``(orders, 2 refs, n)``.
        out : Tensor
            ``(psis, refs, n)``.
        """
        mixed = mixed[: len(self.mix)]
        for mix, part, made in zip(self.mix, torch.split(basis, self.rows), mixed, strict=True):
            torch.mm(mix, part, out=made)
        torch.mm(self.rotate, mixed.view(self.rotate.shape[1], -1), out=out.view(len(self.rotate), -1))


class LowRank(NamedTuple):
    """Basis templates, and how references are combined from them."""

    pairs: Tensor
    """Of one even and one odd basis template each, see `cryoflow.compute.pick.band.paired`; where there are
    fewer of one kind, the rest is 0."""
    even: Orders
    odd: Orders
    error: float
    """Largest norm of a template's residual, relative to the template; see `low_rank`."""

    @property
    def rank(self) -> int:
        """Number of basis templates."""
        return sum(self.even.rows) + sum(self.odd.rows)


class _Spectrum(NamedTuple):
    """Spectrum of all references at each angular order, 0 to the number of angles below 180 degrees."""

    values: Tensor
    """Eigenvalues, ``(orders, refs)``."""
    vectors: Tensor
    """Complex ``(orders, refs, refs)``, the second axis along references."""
    single: Tensor
    """Orders that are real and so need one template instead of two: the first and the last, ``(orders,)``."""


def low_rank(
    fine: FineTransform,
    psi_deg: Tensor,
    band: Band,
    grid: WorkGrid,
    box: int,
    error: float,
    at_once: int = 1,
) -> LowRank | None:
    """Find the smallest basis whose error is at most ``error``; None if it saves nothing or is too large.

    Parameters
    ----------
    fine : FineTransform
    psi_deg : Tensor
        ``(psis,)`` degrees, all below 180.
    band, grid : Band, WorkGrid
    box : int
        Side of the references, pixels; for finding the basis, samples of their transforms half as far apart
        as this requires are enough.
    error : float
        Largest allowed norm of a template's residual, relative to the template; frequencies f are
        weighted with ``FLOOR + f / limit``.
    at_once : int
        Number of threads; the result does not depend on it.
    """
    limit = float(band.x.max())
    coarse = torch.arange(-round(2 * box * limit), round(2 * box * limit) + 1, device=band.x.device).double()
    y, x = coarse / (2 * box), coarse[len(coarse) // 2 :] / (2 * box)
    frequency = torch.hypot(y[:, None], x)
    sparse = Band(y, x, frequency <= limit, len(x))
    weight = (FLOOR + frequency / limit) * torch.where(x == 0, 1.0, 2.0).sqrt()
    found = _spectrum((rotated_templates(fine, psi_deg, sparse) * weight).flatten(2))
    chosen, reached = _chosen(found, error)
    rank = int((chosen.sum(1) * torch.where(found.single, 1, 2)).sum())
    pairs = 2 * len(fine.values) * len(psi_deg)
    if rank > WORTH * pairs or rank * math.prod(grid.inside) > _most_values(fine.values):
        return None
    (even, make_even), (odd, make_odd) = (_orders(found, chosen, kind, fine.values.dtype) for kind in (0, 1))
    return LowRank(_basis(fine, psi_deg, band, (make_even, make_odd), at_once), even, odd, reached)


def _spectrum(templates: Tensor) -> _Spectrum:
    """Decompose ``(refs, psis, frequencies)``, even orders from real and odd ones from imaginary parts.

    Rotating a template is a phase at each angular order, so that orders do not mix.
    """
    psis = templates.shape[1]
    phase = _phases(psis, templates.device)
    parts = templates.real.to(phase.dtype), templates.imag.to(phase.dtype)
    grams = []
    for order in range(psis + 1):
        of_order = torch.einsum("p,rpk->rk", phase[order], parts[order % 2])
        grams.append(of_order @ of_order.mH)
    values, vectors = torch.linalg.eigh(torch.stack(grams))
    return _Spectrum(values, vectors, torch.arange(psis + 1, device=templates.device) % psis == 0)


def _chosen(found: _Spectrum, error: float) -> tuple[Tensor, float]:
    """Choice of basis templates, bool ``(orders, refs)``, and the remaining error."""
    order = found.values.flatten().argsort(descending=True)
    twice = torch.where(found.single, 1.0, 2.0)[:, None, None]
    energy = found.vectors.abs().square() * found.values[:, None] * twice
    energy = energy.transpose(0, 1).flatten(1)[:, order]  # (refs, all of the basis)
    left = energy.flip(1).cumsum(1).flip(1) / energy.sum(1, keepdim=True)  # without the first 0, 1, ...
    worst = left.max(0).values.clamp(min=0).sqrt()
    count = int((worst > error).sum())
    chosen = torch.zeros_like(found.values, dtype=torch.bool)
    chosen.view(-1)[order[:count]] = True
    chosen[:2, -1] = True  # at least one of either kind
    return chosen, float(worst[count]) if count < len(worst) else 0.0


def _phases(psis: int, device: torch.device) -> Tensor:
    """Complex ``(orders, psis)``: from the angles below 180 degrees to the orders of all."""
    order, psi = (torch.arange(n, dtype=torch.float64, device=device) for n in (psis + 1, psis))
    angle = -torch.pi / psis * order[:, None] * psi
    return 2 * torch.polar(torch.ones_like(angle), angle)


def _orders(found: _Spectrum, chosen: Tensor, odd: int, dtype: torch.dtype) -> tuple[Orders, Tensor]:
    """How templates are combined from the chosen ones of a kind, and these from templates: ``(refs, psis,
    rows)``.
    """
    psis = len(found.values) - 1
    phase = _phases(psis, chosen.device)
    mix, make, rotate = [], [], []
    for order in range(odd, psis + 1, 2):
        if not bool(chosen[order].any()):
            continue
        vectors = found.vectors[order][:, chosen[order]]
        made = phase[order][:, None] * vectors.conj()[:, None]  # (refs, psis, chosen)
        parts = 1 if found.single[order] else 2
        columns = torch.cat((vectors.real, vectors.imag)), torch.cat((-vectors.imag, vectors.real))
        mix.append(torch.cat(columns[:parts], 1).to(dtype))
        make.append(torch.cat((made.real, made.imag)[:parts], 2).to(dtype))
        back = phase[order] * parts / (4 * psis)
        rotate += [back.real, back.imag]
    rows = [part.shape[1] for part in mix]
    return Orders(rows, tuple(mix), torch.stack(rotate, 1).to(dtype)), torch.cat(make, 2)


def _most_values(like: Tensor) -> int:
    room = torch.cuda.mem_get_info(like.device)[0] // 4 if like.device.type == "cuda" else _CPU_BYTES
    return room // like.element_size()


def _basis(
    fine: FineTransform, psi_deg: Tensor, band: Band, makes: tuple[Tensor, Tensor], at_once: int
) -> Tensor:
    """Real parts summed with the weights of the even basis, imaginary parts with those of the odd."""
    count = max(make.shape[2] for make in makes)

    def at(rows: Tensor) -> Tensor:
        y, inside = band.y[rows, None], band.inside[rows]
        sums = makes[0].new_zeros(2, count, inside.numel())
        for psi in range(len(psi_deg)):  # one angle at a time, to keep the sampling points of few
            rotated = (templates_at(fine, psi_deg[psi : psi + 1], y, band.x)[:, 0] * inside).flatten(1)
            for total, make, part in zip(sums, makes, (rotated.real, rotated.imag), strict=True):
                total[: make.shape[2]].addmm_(make[:, psi].mT, part)
        return torch.complex(sums[0], sums[1]).reshape(count, *inside.shape)

    rows = torch.arange(len(band.y), device=band.y.device)
    with single_threads(at_once) as pool:
        return paired(torch.cat(list(pool.map(at, torch.tensor_split(rows, _PARTS))), 1))


def best_over_psi(
    basis: LowRank, refs: int, band: Band, grid: WorkGrid, block: Tensor
) -> tuple[Tensor, Tensor]:
    """Highest correlation of every reference over all angles, and the number of the angle.

    Parameters
    ----------
    basis : LowRank
    refs : int
        Number of references.
    band, grid : Band, WorkGrid
    block : Tensor
        The micrograph's transform within the band, times the CTF.

    Returns
    -------
    tuple of Tensor
        ``(refs, h, w)``, and ``(refs, h, w)`` of `number_type`. Between angles that differ by less than the
        last bits of a number, as many as the angles need, the choice is arbitrary.
    """
    batches = _CPU if block.device.type == "cpu" else _GPU
    maps = _maps(PairInverse(band, grid, batches.transforms, block / 2), basis, batches.transforms)
    psis, samples = len(basis.even.rotate), maps[0].shape[1]
    at_once = min(samples, batches.samples(2 * psis * refs))
    best = block.real.new_empty(refs, samples)
    mixed = best.new_empty(max(len(basis.even.mix), len(basis.odd.mix)), 2 * refs, at_once)
    both = best.new_empty(2, psis, refs, at_once)  # below 180 degrees, and from there on
    odd = torch.empty_like(both[0])
    for start in range(0, samples, at_once):
        start = min(start, samples - at_once)  # the last part overlaps: all of them fill the same buffers
        part = (slice(None), slice(start, start + at_once))
        basis.even.values(maps[0][part], mixed, both[0])
        basis.odd.values(maps[1][part], mixed, odd)
        torch.sub(both[0], odd, out=both[1])
        both[0].add_(odd)
        torch.amax(_numbered(both.flatten(0, 1)), 0, out=best[part])
    index = _numbers(best, 2 * psis)
    return best.reshape(refs, *grid.inside), index.reshape(refs, *grid.inside)


def _maps(inverse: PairInverse, basis: LowRank, batch: int) -> tuple[Tensor, Tensor]:
    """Correlations with each even and each odd basis template, ``(basis, samples)``; the block is halved."""
    sizes = sum(basis.even.rows), sum(basis.odd.rows)
    even, odd = (basis.pairs.new_empty(size, *inverse.grid.inside) for size in sizes)
    for start in range(0, len(basis.pairs), batch):
        part = slice(start, start + batch)
        both, opposite = inverse.images(basis.pairs[part]).unbind(-1)
        for combine, target in ((torch.add, even[part]), (torch.sub, odd[part])):
            combine(both[: len(target)], opposite[: len(target)], out=target)
    return even.flatten(1), odd.flatten(1)


def _numbered(values: Tensor) -> Tensor:
    """Numbers with their index on the first axis in their last bits; overwrites its argument.

    A maximum over that axis then carries its own index.
    """
    whole = values.view(_whole(values))
    number = torch.arange(len(values), dtype=whole.dtype, device=values.device)
    whole.bitwise_and_(~_last_bits(len(values))).bitwise_or_(number[:, None, None])
    return values


def _numbers(values: Tensor, count: int) -> Tensor:
    """Indices, of ``count``, of `_numbered` values."""
    return (values.view(_whole(values)) & _last_bits(count)).to(number_type(count))


def _whole(values: Tensor) -> torch.dtype:
    return torch.int32 if values.dtype == torch.float32 else torch.int64


def _last_bits(count: int) -> int:
    return (1 << (count - 1).bit_length()) - 1
