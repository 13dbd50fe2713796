"""Shells: Fourier points whose rounded radius is the same, their sums and their means.

Shell s holds the points with ``floor(r + 1/2) = s``, r in Fourier pixels of the (unpadded) box. What varies
between the programs of RELION, and so between the callers, is which points count:

- all points of the half-plane of `torch.fft.rfft2`, in which conjugate pairs of column 0 count twice
  (`shell_index`): power spectra, the noise that particles start with, ring correlations;
- each conjugate pair once, and without the row ``-radius`` of a transform cropped to ``2 radius``
  (`shell_indicator_once`): the residuals and likelihood of ``relion_refine``, which works on cropped
  transforms and skips half of column 0;
- all points of a padded half-plane, within a radius that may be inclusive or not (`padded_shells`):
  RELION's back-projector, whose spectra of references include the limit and whose reconstruction does not.

Sums add points in the order in which they lie in memory, so that results are reproducible bit by bit on a
CPU.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from cryoflow.compute.image.fourier import frequencies


def rounded_radius(y: Tensor, x: Tensor) -> Tensor:
    """Shell of the points ``(y, x)``, given in Fourier pixels; float64 in, int64 out, broadcast."""
    return (torch.hypot(y, x) + 0.5).floor().long()


def shell_index(size: int, device: torch.device | str = "cpu") -> Tensor:
    """Shell of each point of the half-plane of a square image: int64 ``(size, size // 2 + 1)``.

    The corners lie in shells beyond ``size // 2``.
    """
    grid = frequencies(size, size, device, torch.float64)
    return rounded_radius(grid.y * size, grid.x * size)


def shell_sums(values: Tensor, index: Tensor, count: int) -> Tensor:
    """Sum values over shells.

    Parameters
    ----------
    values : Tensor
        ``(K, ...)``, real.
    index : Tensor
        int64, of the shape of ``values[0]``: shell of each point.
    count : int
        S. Points of shell S and beyond are left out.

    Returns
    -------
    Tensor
        ``(K, S)``, dtype and device of ``values``.
    """
    index, values = index.flatten(), values.flatten(1)
    keep = index < count
    if not bool(keep.all()):
        index, values = index[keep], values[:, keep]
    return values.new_zeros(len(values), count).index_add_(1, index, values)


def shell_counts(index: Tensor, count: int) -> Tensor:
    """Points in each of the first ``count`` shells, int64 ``(count,)``; ``index`` has any shape."""
    return torch.bincount(index[index < count], minlength=count)


def shell_means(values: Tensor, index: Tensor, count: int) -> Tensor:
    """Mean of values over each of the first ``count`` shells, none of them empty; see `shell_sums`."""
    return shell_sums(values, index, count) / shell_counts(index, count)


def power_spectrum(transform: Tensor) -> Tensor:
    """Mean squared modulus of half-planes over shells.

    Parameters
    ----------
    transform : Tensor
        Complex ``(B, n, n // 2 + 1)``.

    Returns
    -------
    Tensor
        Real ``(B, n // 2 + 1)``.
    """
    box = transform.shape[-2]
    return shell_means(transform.abs().square(), shell_index(box, transform.device), box // 2 + 1)


def shell_indicator(index: Tensor, count: int) -> Tensor:
    """1 where a point lies in a shell: int64 ``(points, count)`` for a flat ``index``.

    The product with a matrix of points is the sum over shells, at the speed of matrix products.
    """
    indicator: Tensor = one_hot(index.clamp(max=count), count + 1)[:, :count]
    return indicator


def shell_indicator_once(box: int, radius: int) -> Tensor:
    """Indicator of shells over a flattened half-plane, each conjugate pair once.

    A transform cropped to ``2 * radius`` has no row ``-radius``: the few points of its last shell that lie
    there are left out, as RELION does.

    Parameters
    ----------
    box : int
        n, even.
    radius : int
        Half the size to which transforms are cropped, at most ``n // 2``.

    Returns
    -------
    Tensor
        float64 ``(n * (n // 2 + 1), n // 2 + 1)``.
    """
    shell = shell_index(box)
    y = torch.fft.fftfreq(box, 1 / box).round().long()[:, None].expand_as(shell).clone()
    y[box // 2] = box // 2  # the Nyquist row counts as positive
    x = torch.arange(box // 2 + 1).expand_as(shell)
    once = ~((x == 0) & (y < 0)) & ~((y == -radius) & (shell == radius))
    indicator: Tensor = shell_indicator(shell.flatten(), box // 2 + 1).double() * once.flatten()[:, None]
    return indicator


class PaddedShells(NamedTuple):
    """Shells, in pixels of the unpadded box, of a padded half-plane ``(p n, p n // 2 + 1)``."""

    shell: Tensor
    """int64; points beyond shell ``n // 2`` count to that one."""
    inside: Tensor
    """bool: points within the radius."""
    number: int
    """S, ``n // 2 + 1``."""

    def sums(self, values: Tensor) -> Tensor:
        """Sums of ``(K, p n, p n // 2 + 1)`` over shells, ``(K, S)``, whether inside or not."""
        return shell_sums(values, self.shell, self.number)

    @property
    def counts(self) -> Tensor:
        """Points of each shell that lie inside, float64 ``(S,)``."""
        return shell_counts(self.shell[self.inside], self.number).double()


def padded_shells(box: int, padding: int, radius: int, inclusive: bool) -> PaddedShells:
    """Shells of a half-plane padded ``padding``-fold, origin at pixel 0.

    Parameters
    ----------
    box : int
        n, even.
    padding : int
        p.
    radius : int
        In pixels of the unpadded box.
    inclusive : bool
        Whether points at exactly ``radius`` lie inside.
    """
    size = padding * box
    y = torch.fft.fftfreq(size, 1 / size, dtype=torch.float64)[:, None]
    x = torch.arange(size // 2 + 1, dtype=torch.float64)[None, :]
    squared = y**2 + x**2
    limit = (padding * radius) ** 2
    inside = squared <= limit if inclusive else squared < limit
    shell = (squared.sqrt() / padding + 0.5).floor().long()
    return PaddedShells(shell.clamp(max=box // 2), inside, box // 2 + 1)
