"""Replacement of the local maxima of low-rank maps by exact figures of merit."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Exact = Callable[[int, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Figure of merit and angle index of a reference at rows and columns, ``(n,)`` each."""

_SHARE = 0.5
"""Where none is above the floor, peaks above this fraction of the highest show the error of the templates."""
_TIMES = 2
"""How far below the floor peaks are checked, in root mean square errors of those above."""


def make_peaks_exact(fom: Tensor, psi_index: Tensor, exact: Exact, floor: float) -> None:
    """Replace local maxima of at least ``floor`` by exact values, until all of them are exact.

    A peak just below the floor may be above it without the error of the templates, so peaks somewhat below
    are checked as well. Around such peaks the maps remain those of the low-rank templates.

    Parameters
    ----------
    fom, psi_index : Tensor
        Contiguous ``(refs, h, w)``; changed.
    exact : callable
    floor : float
    """
    done = torch.zeros_like(fom, dtype=torch.bool)
    off = _climb(fom, psi_index, exact, min(floor, _SHARE * float(fom.max())), done)
    _climb(fom, psi_index, exact, floor - _TIMES * off, done)


def _climb(fom: Tensor, psi_index: Tensor, exact: Exact, floor: float, done: Tensor) -> float:
    """Make peaks that are not ``done`` exact, and any new peaks that result; return the rms change."""
    squares, count = 0.0, 0
    places = ((fom >= floor) & ~done).view(-1).nonzero()[:, 0]  # flat indices into the maps
    while len(places := torch.unique(places[_are_peaks(fom, places)])):
        before = fom.view(-1)[places]
        _put(fom, psi_index, exact, places)
        done.view(-1)[places] = True
        squares += float((fom.view(-1)[places] - before).double().square().sum())
        count += len(places)
        near = _neighbours(fom, places).view(-1)
        places = near[(fom.view(-1)[near] >= floor) & ~done.view(-1)[near]]
    return math.sqrt(squares / max(1, count))


def _put(fom: Tensor, psi_index: Tensor, exact: Exact, places: Tensor) -> None:
    _, h, w = fom.shape
    counts = (places // (h * w)).bincount(minlength=len(fom)).tolist()
    for reference, some in enumerate(torch.split(places, counts)):  # they are sorted
        row, column = some // w % h, some % w
        if len(some):
            fom[reference, row, column], psi_index[reference, row, column] = exact(reference, row, column)


def _are_peaks(fom: Tensor, places: Tensor) -> Tensor:
    """Whether positions are at least as high as their four neighbours."""
    flat = fom.view(-1)
    return (flat[_neighbours(fom, places)] <= flat[places]).all(0)


def _neighbours(fom: Tensor, places: Tensor) -> Tensor:
    """Places above, below, left and right, ``(4, n)``; at a side the place itself."""
    _, h, w = fom.shape
    row, column = places // w % h, places % w
    steps = -w * (row > 0), w * (row < h - 1), -1 * (column > 0), 1 * (column < w - 1)
    return places + torch.stack(steps)
