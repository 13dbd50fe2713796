"""The correlation coefficient of a reference and a micrograph under the mask, by FFT.

At the samples of the search, with the micrograph J limited to the references' band and the rotated reference
T (times the CTF) moved to mean 0 and ``sum(T^2) = 1`` over the samples of the disc:
``ncc = sum(T J) / sqrt(sum(J^2) - sum(J)^2 / n)``, all sums over the n samples of the disc (Roseman 2003,
Ultramicroscopy 94:225). It lies between -1 and 1, whatever reference, micrograph or defocus.
"""

import math

import torch
from torch import Tensor

from cryoflow.compute.band import Band
from cryoflow.compute.partial_dft import centred_transform, inverse_at
from cryoflow.compute.search import Search
from cryoflow.compute.work_grid import WorkGrid

_KEPT_BYTES = 1 << 28
"""Transforms of one reference kept until they serve again, half a turn on."""
_LEAST_SHARE = 1e-5
"""Local variance over that of everything, below which a place is flat."""


class LocalTemplates:
    """Rotated references of one CTF, cut to the disc and normalised under it."""

    def __init__(self, search: Search, ctf: Tensor | None) -> None:
        spacing = search.grid.spacing
        reach = math.ceil(search.references.radius / spacing)
        self.search, self.ctf = search, ctf
        device = search.band.y.device
        number = torch.arange(-reach, reach + 1, dtype=torch.float64, device=device)
        self.offset = number * spacing
        """Of the samples of the disc's square, micrograph pixels."""
        self.disc = torch.hypot(self.offset[:, None], self.offset) < search.references.radius
        """Bool ``(n, n)``, centre in the middle."""
        self._reference = -1
        self._first_half: dict[int, Tensor] = {}
        each = search.upright[0].numel() * search.upright.element_size()
        self._keeps = each * search.distinct_psis <= _KEPT_BYTES

    def conjugates(self, reference: int, start: int, stop: int) -> Tensor:
        """Conjugate transforms at angles ``start`` to ``stop``, of the band's block; see `Search`.

        Asked for one reference after the other; those of its first half turn serve for the second.
        """
        if reference != self._reference:
            self._reference = reference
            self._first_half.clear()
        half = self.search.distinct_psis
        if start >= half and start - half in self._first_half:
            return self._first_half[start - half].conj()
        made = self._make(reference, start, stop)
        if self._keeps and start < half:
            self._first_half[start] = made
        return made

    def _make(self, reference: int, start: int, stop: int) -> Tensor:
        band = self.search.band
        images = self.images(reference, start, stop)
        transforms = centred_transform(images, band.y * self._spacing, band.x * self._spacing)
        return torch.conj(transforms * band.inside)

    def images(self, reference: int, start: int, stop: int) -> Tensor:
        """References at the samples of the disc's square, ``(psis, n, n)``, 0 outside the disc."""
        band = self.search.band
        transforms = self.search.conjugates(reference, start, stop).conj()
        if self.ctf is not None:
            transforms = transforms * self.ctf
        images = inverse_at(transforms, band.y, band.x, self.offset, self.offset) * self.disc
        images = (images - images.sum((1, 2), keepdim=True) / self.disc.sum()) * self.disc
        norm: Tensor = torch.linalg.vector_norm(images, dim=(1, 2), keepdim=True)
        return images / norm

    @property
    def _spacing(self) -> float:
        return self.search.grid.spacing


def local_norm(block: Tensor, band: Band, grid: WorkGrid, disc: Tensor) -> Tensor:
    """Root of the sum of squares about the mean under a disc at every sample, ``grid.inside``.

    Infinite where the micrograph is flat, so that nothing correlates there.

    Parameters
    ----------
    block : Tensor
        The micrograph's transform within the band, complex.
    band, grid : Band, WorkGrid
    disc : Tensor
        Bool ``(n, n)``, n odd, centre in the middle.
    """
    shape, (h, w) = (grid.rows, grid.columns), grid.inside
    top, bottom, columns = band.top, len(band.y) - band.top, len(band.x)
    half = block.new_zeros(grid.rows, grid.columns // 2 + 1)
    half[:top, :columns] = block[:top]
    half[grid.rows - bottom :, :columns] = block[top:]
    image = torch.fft.irfft2(half, s=shape)
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
