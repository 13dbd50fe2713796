"""Cut square windows out of a micrograph around integer positions."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad


class Corners(NamedTuple):
    """First row and first column of each window, int64 ``(n,)``; may lie outside the micrograph."""

    y: Tensor
    x: Tensor


def corners(y: Tensor, x: Tensor, size: int) -> Corners:
    """Where windows of ``size`` pixels around the positions ``(y, x)`` begin: ``int(x) - size // 2``.

    Positions are cut to their integer part towards zero, as RELION does; the position is pixel ``size //
    2`` of the window.
    """
    return Corners(y.trunc().long() - size // 2, x.trunc().long() - size // 2)


def touching(begin: Corners, size: int, height: int, width: int) -> Tensor:
    """Which windows share at least one pixel with a ``(height, width)`` micrograph, bool ``(n,)``."""
    rows = (begin.y + size > 0) & (begin.y < height)
    return rows & (begin.x + size > 0) & (begin.x < width)


class Padded(NamedTuple):
    """A micrograph with its edge pixels repeated all around, to cut windows from."""

    values: Tensor
    """``(h + 2 margin, w + 2 margin)``."""
    margin: int


def pad_edges(micrograph: Tensor, margin: int) -> Padded:
    """Repeat the nearest inside row and column over ``margin`` pixels around a ``(h, w)`` micrograph."""
    values = pad(micrograph[None, None], (margin,) * 4, mode="replicate")[0, 0]
    return Padded(values, margin)


def cut(padded: Padded, begin: Corners, size: int) -> Tensor:
    """Windows ``(n, size, size)``, pixels outside the micrograph filled with the nearest inside.

    Parameters
    ----------
    padded : Padded
        From `pad_edges` with a margin of at least ``size``.
    begin : Corners
        Windows that all touch the micrograph, see `touching`.
    size : int
        Pixels along each side.
    """
    rows, columns = (first + padded.margin for first in begin)
    if not len(rows):
        return padded.values.new_empty(0, size, size)
    places = zip(rows.tolist(), columns.tolist(), strict=True)
    return torch.stack([padded.values[row : row + size, column : column + size] for row, column in places])
