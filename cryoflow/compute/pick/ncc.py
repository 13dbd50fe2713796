"""The correlation coefficient of a reference and a micrograph under the mask, by FFT.

At the samples of the search, with the micrograph J limited to the references' band and the rotated reference
T (times the CTF) moved to mean 0 and ``sum(T^2) = 1`` over the samples of the disc:
``ncc = sum(T J) / sqrt(sum(J^2) - sum(J)^2 / n)``, all sums over the n samples of the disc (Roseman 2003,
Ultramicroscopy 94:225). It is between -1 and 1 for any reference, micrograph and defocus.
"""

import math

import torch
from torch import Tensor

from cryoflow.compute.pick.band import Band, full_plane
from cryoflow.compute.pick.search import Search
from cryoflow.compute.pick.search_grid import WorkGrid

_LEAST_SHARE = 1e-5
"""Local variance relative to that of the micrograph below which a position counts as flat."""


class LocalTemplates:
    """Rotated references of one CTF, cut to the disc and normalised under it.

    Both ways between samples and frequencies are sums with ``cas = cos + sin`` of the full plane's pairs, and
    ``cas(y + x) = cos(y) cas(x) + sin(y) cas(-x)`` makes them two products.
    """

    def __init__(self, search: Search, ctf: Tensor | None) -> None:
        spacing, band = search.grid.spacing, search.band
        reach = math.ceil(search.references.radius / spacing)
        number = torch.arange(-reach, reach + 1, dtype=torch.float64, device=band.y.device)
        self.search = search
        self.offset = number * spacing
        """Offsets of the samples of the disc's square, micrograph pixels."""
        self.disc = torch.hypot(self.offset[:, None], self.offset) < search.references.radius
        """Bool ``(n, n)``, centre in the middle."""
        kept = band.inside & band.below_nyquist(search.grid)
        self._kept = full_plane(kept.to(search.upright.real.dtype))
        self._shown = self._kept if ctf is None else full_plane(ctf * kept)
        y, x = (2 * torch.pi * f[:, None] * self.offset for f in (band.y, band.full_x))
        cos, sin = torch.cos(x), torch.sin(x)
        self._y = torch.cat((torch.cos(y), torch.sin(y)), 1).to(self._kept)  # (rows, 2 n)
        self._x = (cos + sin).to(self._kept), (cos - sin).to(self._kept)  # (columns, n) each

    def pairs(self, reference: int, start: int, stop: int) -> Tensor:
        """Templates at angles ``start`` to ``stop``, of the distinct ones, see `Search.pairs`."""
        images = self.images(reference, start, stop)
        return self._y @ torch.cat([images @ along.mT for along in self._x], 1) * self._kept

    def images(self, reference: int, start: int, stop: int) -> Tensor:
        """References at the samples of the disc's square, ``(psis, n, n)``, 0 outside the disc."""
        rows = self._y.mT @ (self.search.pairs(reference, start, stop) * self._shown)
        upper, lower = rows.chunk(2, 1)
        images = (upper @ self._x[0] + lower @ self._x[1]) * self.disc
        images = (images - images.sum((1, 2), keepdim=True) / self.disc.sum()) * self.disc
        norm: Tensor = torch.linalg.vector_norm(images, dim=(1, 2), keepdim=True)
        return images / norm


def local_norm(block: Tensor, band: Band, grid: WorkGrid, disc: Tensor) -> Tensor:
    """Root of the sum of squares about the mean under a disc at every sample, ``grid.inside``.

    Infinite where the micrograph is flat, so that the correlation there is 0.

    Parameters
    ----------
    block : Tensor
        The micrograph's transform within the band, complex.
    band, grid : Band, WorkGrid
    disc : Tensor
        Bool ``(n, n)``, n odd, centre in the middle.
    """
    shape, (h, w) = (grid.rows, grid.columns), grid.inside
    image = torch.fft.irfft2(band.spread(block, grid), s=shape)
    mask = torch.zeros(shape, dtype=image.dtype, device=image.device)
    mask[: disc.shape[0], : disc.shape[1]] = disc
    reach = disc.shape[0] // 2
    kernel = torch.fft.rfft2(mask.roll((-reach, -reach), (0, 1))).conj()
    level = image.square().mean()
    both = torch.stack((image, image.square() - level))  # centred, to keep digits
    total, square = torch.fft.irfft2(torch.fft.rfft2(both) * kernel, s=shape)[:, :h, :w]
    count = int(disc.sum())
    variance = square + count * level - total.square() / count
    return torch.where(variance > _LEAST_SHARE * count * level, variance, torch.inf).sqrt()
