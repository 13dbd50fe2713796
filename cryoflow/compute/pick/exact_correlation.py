"""The correlation with every reference at every angle, at single positions of a micrograph.

Shifting by an offset multiplies each frequency by a phase, so that sums over samples around a position, with
fitted weights, replace a template; samples between those of the maps keep the weights to little more than the
disc. In the last shell, where templates fade as those of RELION do (`cryoflow.compute.pick.templates`),
the frequencies themselves are needed. A template at psi + 180 degrees mirrors that at psi: sums over
opposite samples and real parts, and differences and imaginary parts, serve both.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.pick.band import Band
from cryoflow.compute.pick.references import References
from cryoflow.compute.pick.search_grid import WorkGrid
from cryoflow.compute.pick.templates import FineTransform, templates_at

_FADES = 1.2
"""Steps of the references' grid of frequencies from their limit, where templates begin to fade: what the
corners of its squares add beyond that is below one in a thousand."""
_BEYOND = 0.5
"""Samples by which weights extend beyond the disc."""
_LEAST = 1e-4
"""Singular values below this fraction of the largest are left out of the fit."""
_CPU_VALUES, _GPU_VALUES = 1 << 19, 1 << 25
"""Values around positions held at a time."""


class ExactPlaces(NamedTuple):
    """All references, prepared for any micrograph; ``points`` are one of each two opposite samples."""

    even: Tensor
    """Weights of sums over points, then of real parts of the last shell, ``(refs, values, psis)``; the angles
    are those below 180 degrees."""
    odd: Tensor
    """Weights of differences and of imaginary parts."""
    offset: Tensor
    """Row and column of the points from a place, rounded down to samples, int64 ``(2, points)``."""
    between: Tensor
    """1 where points lie half a sample further along both axes, else 0, int64 ``(points,)``."""
    shell: Tensor
    """Frequencies of the last shell, bool ``(rows, columns)`` of the band's block."""
    phase: tuple[Tensor, Tensor]
    """Their phases at each row and at each column of maps, complex ``(h, n)`` and ``(w, n)``."""


def exact_places(
    references: References, fine: FineTransform, psi_deg: Tensor, band: Band, grid: WorkGrid
) -> ExactPlaces:
    """Find the weights; angles are those below 180 degrees."""
    fading = float(band.x.max()) - _FADES * fine.step
    frequency = torch.hypot(band.y[:, None], band.x)
    shell = band.inside & band.below_nyquist(grid) & (frequency > fading)
    y, x = (band.y[:, None].expand_as(shell)[shell], band.x.expand_as(shell)[shell])
    offset, between = _points(references.radius / grid.spacing + _BEYOND, band.x.device)
    position = (offset + between / 2).double() * grid.spacing
    some_y, some_x = _some_frequencies(fading, references.box, band.x.device)
    angle = 2 * torch.pi * (some_y[:, None] * position[0] + some_x[:, None] * position[1])
    wanted = templates_at(fine, psi_deg, some_y[:, None], some_x[:, None])[..., 0]
    own = templates_at(fine, psi_deg, y[:, None], x[:, None])[..., 0]
    weights = [
        torch.cat((_fitted(2 * waves, part), last), 2).mT.contiguous()
        for waves, part, last in (
            (torch.cos(angle), wanted.real, own.real),
            (torch.sin(angle), -wanted.imag, own.imag),
        )
    ]
    h, w = grid.inside
    phase = _phases(y * grid.spacing, h, own.dtype), _phases(x * grid.spacing, w, own.dtype)
    return ExactPlaces(weights[0], weights[1], offset, between, shell, phase)


def _points(reach: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Offset and betweenness of samples within ``reach``, one of each opposite two."""
    number = torch.arange(-math.ceil(reach), math.ceil(reach) + 1, device=device)
    between, row, column = torch.meshgrid(number.new_tensor([0, 1]), number, number, indexing="ij")
    y, x = row + between / 2, column + between / 2
    chosen = (torch.hypot(y, x) <= reach) & ((y > 0) | ((y == 0) & (x >= 0)))
    return torch.stack((row[chosen], column[chosen])), between[chosen]


def _some_frequencies(limit: float, box: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Frequencies of half a plane, y and x, close enough for images of a box, and along the limit."""
    step = 1 / (2 * box)
    number = torch.arange(-math.floor(limit / step), math.floor(limit / step) + 1, device=device)
    y, x = torch.meshgrid(number * step, number[number >= 0] * step, indexing="ij")
    inside = torch.hypot(y, x) <= limit
    count = math.ceil(torch.pi * limit / step)
    angle = torch.pi * ((torch.arange(count, device=device) + 0.5) / count - 0.5)
    along = limit * torch.sin(angle.double()), limit * torch.cos(angle.double())
    return torch.cat((y[inside], along[0])).double(), torch.cat((x[inside], along[1])).double()


def _fitted(waves: Tensor, wanted: Tensor) -> Tensor:
    """Weights ``(refs, psis, points)`` of waves ``(frequencies, points)`` to give ``wanted``."""
    inverse: Tensor = torch.linalg.pinv(waves.mT @ waves, rtol=_LEAST**2, hermitian=True)
    return (wanted.double() @ waves @ inverse).to(wanted.dtype)


def _phases(frequency: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    angle = 2 * torch.pi * torch.arange(count, device=frequency.device)[:, None] * frequency
    return torch.polar(torch.ones_like(angle), angle).to(dtype)


def _parts(values: Tensor) -> Tensor:
    """Real and imaginary part, ``(2, ...)``: products of these take less time than complex ones."""
    return torch.stack((values.real, values.imag))


class Places:
    """One micrograph.

    Parameters
    ----------
    exact : ExactPlaces
    band, grid : Band, WorkGrid
    block : Tensor
        The micrograph's transform within the band, times the CTF.
    """

    def __init__(self, exact: ExactPlaces, band: Band, grid: WorkGrid, block: Tensor) -> None:
        self._exact = exact
        weight = torch.where(band.x == 0, 1.0, 2.0).to(block.real) / (grid.rows * grid.columns)
        self._phase = _parts(exact.phase[0] * (block * weight)[exact.shell]), _parts(exact.phase[1])
        half = 2 * torch.pi * grid.spacing / 2 * (band.y[:, None] + band.x)
        inner = block * (band.below_nyquist(grid) & ~exact.shell)
        both = torch.stack((inner, inner * torch.polar(torch.ones_like(half), half).to(block.dtype)))
        images = torch.fft.irfft2(band.spread(both, grid), s=(grid.rows, grid.columns))
        reach = int(exact.offset.abs().max()) + 1
        self._images = torch.nn.functional.pad(images[None], (reach,) * 4, mode="circular")[0]
        layer, row, _ = self._images.stride()
        self._first = reach * (row + 1)
        y, x = exact.offset
        opposite = (-y - exact.between) * row - x - exact.between
        self._points = [(exact.between * layer + place).int() for place in (y * row + x, opposite)]

    def best(self, reference: int, row: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
        """Highest correlation of a reference over all angles, and the number of the angle, ``(n,)`` each."""
        values = _CPU_VALUES if row.device.type == "cpu" else _GPU_VALUES
        at_once = max(1, values // self._exact.even.shape[1])
        parts = [
            self._some(reference, y, x)
            for y, x in zip(torch.split(row, at_once), torch.split(column, at_once), strict=True)
        ]
        correlation, number = (torch.cat(part) for part in zip(*parts, strict=True))
        return correlation, number

    def _some(self, reference: int, row: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
        count, flat = len(self._exact.between), self._images.view(-1)
        first = (self._first + row * self._images.stride(1) + column).int()[:, None]
        one, opposite = (
            flat.index_select(0, (first + points).view(-1)).view(len(row), count) for points in self._points
        )
        (a, b), (c, d) = (
            [part.index_select(0, place) for part in parts]
            for parts, place in zip(self._phase, (row, column), strict=True)
        )
        even, odd = (
            torch.addmm(samples @ weights[:count], last, weights[count:])
            for samples, last, weights in (
                (one + opposite, a * c - b * d, self._exact.even[reference]),
                (one - opposite, a * d + b * c, self._exact.odd[reference]),
            )
        )
        best, number = (even + odd.abs()).max(1)  # at an angle even + odd, at its opposite even - odd
        is_opposite = odd.gather(1, number[:, None])[:, 0] < 0
        return best, number + is_opposite * even.shape[1]
