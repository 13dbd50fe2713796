"""All references at all angles as sums of a few basis templates: fewer inverse FFTs, and one product.

Turned references are much alike: of a disc of radius R, up to frequency k, only some ``(pi R k)^2`` numbers
can differ. A basis of rank r from their singular value decomposition leaves r inverse FFTs; correlations
follow by a product at every sample. A template at psi + 180 degrees is the mirror image of that at psi, so
that the even and the odd part of half a turn give both: ``C(psi) = Ce + Co``, ``C(psi + 180) = Ce - Co``.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.band import Band, PairInverse, paired
from cryoflow.compute.templates import FineTransform, rotated_templates
from cryoflow.compute.work_grid import WorkGrid

FLOOR = 0.1
"""Weight of frequency 0 against that of the limit, when errors are measured: a CTF leaves little there."""
WORTH = 0.6
"""A basis of more than this share of all pairs of a reference and an angle costs as much as they do."""
_CPU_BYTES = 1 << 29
"""Correlations with the basis held on a CPU, at most; on a GPU a quarter of the memory that is free."""


class _Batches(NamedTuple):
    transforms: int
    """Inverse FFTs at a time."""
    samples: int
    """Samples whose correlations with all references and angles are held at a time."""


_CPU, _GPU = _Batches(4, 1024), _Batches(32, 1 << 15)  # a CPU's fit its caches


class LowRank(NamedTuple):
    """Basis templates, and how references are made of them; n = references x angles of half a turn."""

    pairs: Tensor
    """Of one even and one odd basis template each, see `cryoflow.compute.band.paired`; where there are fewer
    of one kind, the rest is 0."""
    even_share: Tensor
    """``(n, even basis)``."""
    odd_share: Tensor
    error: float
    """Largest norm of what is left out of a template, over that of the template; see `low_rank`."""

    @property
    def rank(self) -> int:
        """Number of basis templates."""
        return self.even_share.shape[1] + self.odd_share.shape[1]


class _Parts(NamedTuple):
    values: Tensor
    """Eigenvalues of even parts, then of odd parts."""
    vectors: Tensor
    """``(n, 2 n)``."""


def low_rank(
    fine: FineTransform, psi_deg: Tensor, band: Band, grid: WorkGrid, box: int, error: float
) -> LowRank | None:
    """Find the smallest basis whose error is at most ``error``; None where it saves nothing or is too large.

    Parameters
    ----------
    fine : FineTransform
    psi_deg : Tensor
        ``(psis,)`` degrees: half a turn.
    band, grid : Band, WorkGrid
    box : int
        Side of the references, pixels; samples of their transforms half as far apart as it asks for are
        enough to find the basis from.
    error : float
        Largest allowed norm of what is left out of a template, over that of the template; frequencies f are
        weighted with ``FLOOR + f / limit``.
    """
    limit = float(band.x.max())
    coarse = torch.arange(-round(2 * box * limit), round(2 * box * limit) + 1, device=band.x.device).double()
    y, x = coarse / (2 * box), coarse[len(coarse) // 2 :] / (2 * box)
    frequency = torch.hypot(y[:, None], x)
    sparse = Band(y, x, frequency <= limit, len(x))
    weight = (FLOOR + frequency / limit) * torch.where(x == 0, 1.0, 2.0).sqrt()
    templates = rotated_templates(fine, psi_deg, sparse).flatten(0, 1) * weight
    parts = _decompose(templates.flatten(1))
    order = parts.values.argsort(descending=True)
    energy = parts.vectors[:, order].square() * parts.values[order]
    left = energy.flip(1).cumsum(1).flip(1) / energy.sum(1, keepdim=True)  # without the first 0, 1, ...
    worst = left.max(0).values.clamp(min=0).sqrt()
    rank = max(2, int((worst > error).sum()))
    count = len(parts.values) // 2
    if rank > WORTH * 2 * count or rank * math.prod(grid.inside) > _most_values(fine.values):
        return None
    chosen = order[:rank]
    own = parts.vectors.to(fine.values.dtype)
    even, odd = own[:, chosen[chosen < count]], own[:, chosen[chosen >= count]]
    reached = float(worst[rank]) if rank < len(worst) else 0.0
    return LowRank(_basis(fine, psi_deg, band, even, odd), even, odd, reached)


def _most_values(like: Tensor) -> int:
    room = torch.cuda.mem_get_info(like.device)[0] // 4 if like.device.type == "cuda" else _CPU_BYTES
    return room // like.element_size()


def _decompose(templates: Tensor) -> _Parts:
    found = [torch.linalg.eigh(part @ part.mT) for part in (templates.real.double(), templates.imag.double())]
    return _Parts(*(torch.cat(both, -1) for both in zip(*found, strict=True)))


def _basis(fine: FineTransform, psi_deg: Tensor, band: Band, even: Tensor, odd: Tensor) -> Tensor:
    """Real parts summed with the shares of the even basis, imaginary parts with those of the odd."""
    refs, psis, shape = len(fine.values), len(psi_deg), band.inside.shape
    count = max(even.shape[1], odd.shape[1])
    sums = even.new_zeros(2, count, shape.numel())
    shares = [share.reshape(refs, psis, -1) for share in (even, odd)]
    for psi in range(psis):  # one angle at a time, to keep the sampling points of few
        turned = rotated_templates(fine, psi_deg[psi : psi + 1], band)[:, 0].flatten(1)
        for total, share, part in zip(sums, shares, (turned.real, turned.imag), strict=True):
            total[: share.shape[2]].addmm_(share[:, psi].mT, part)
    return paired(torch.complex(sums[0], sums[1]).reshape(count, *shape))


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
        ``(refs, h, w)`` and int16 ``(refs, h, w)``. Between angles that differ by less than the last bits
        of a number, as many as the angles need, the choice is arbitrary.
    """
    batches = _CPU if block.device.type == "cpu" else _GPU
    maps = _maps(PairInverse(band, grid, batches.transforms, block / 2), basis, batches.transforms)
    samples, psis = maps[0].shape[1], len(basis.even_share) // refs
    best = block.real.new_empty(refs, samples)
    index = torch.empty(refs, samples, dtype=torch.int16, device=block.device)
    for start in range(0, samples, batches.samples):
        part = slice(start, start + batches.samples)
        even, odd = (
            (share @ image[:, part]).reshape(refs, psis, -1)
            for share, image in zip((basis.even_share, basis.odd_share), maps, strict=True)
        )
        best[:, part], number = _highest(even.add_(odd.abs()))
        second = odd.gather(1, number[:, None])[:, 0] < 0
        index[:, part] = (number + psis * second).to(torch.int16)
    return best.reshape(refs, *grid.inside), index.reshape(refs, *grid.inside)


def _maps(inverse: PairInverse, basis: LowRank, batch: int) -> tuple[Tensor, Tensor]:
    """Correlations with each even and each odd basis template, ``(basis, samples)``; the block is halved."""
    shares, inside = (basis.even_share, basis.odd_share), inverse.grid.inside
    even, odd = (share.new_empty(share.shape[1], *inside) for share in shares)
    for start in range(0, len(basis.pairs), batch):
        part = slice(start, start + batch)
        both, opposite = inverse.images(basis.pairs[part]).unbind(-1)
        for combine, target in ((torch.add, even[part]), (torch.sub, odd[part])):
            combine(both[: len(target)], opposite[: len(target)], out=target)
    return even.flatten(1), odd.flatten(1)


def _highest(values: Tensor) -> tuple[Tensor, Tensor]:
    """Maximum and its index over the second axis; overwrites its argument.

    The index travels in the last bits of the numbers, so that one pass finds both.
    """
    whole = values.view(torch.int32 if values.dtype == torch.float32 else torch.int64)
    count = values.shape[1]
    last_bits = (1 << (count - 1).bit_length()) - 1
    number = torch.arange(count, dtype=whole.dtype, device=values.device)
    whole.bitwise_and_(~last_bits).bitwise_or_(number[:, None])
    best = values.amax(1)
    return best, (best.view(whole.dtype) & last_bits).long()
