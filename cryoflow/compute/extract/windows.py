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
    """First pixels of windows of ``size`` pixels around the positions ``(y, x)``: ``int(x) - size // 2``.

    Positions are cut to their integer part towards zero, as RELION does; the position is pixel ``size //
    2`` of the window.
    """
    return Corners(y.trunc().long() - size // 2, x.trunc().long() - size // 2)


def touching(begin: Corners, size: int, height: int, width: int) -> Tensor:
    """Which windows share at least one pixel with a ``(height, width)`` micrograph, bool ``(n,)``."""
    rows = (begin.y + size > 0) & (begin.y < height)
    return rows & (begin.x + size > 0) & (begin.x < width)


def cut(micrograph: Tensor, begin: Corners, size: int, dtype: torch.dtype) -> Tensor:
    """Windows ``(n, size, size)``, pixels outside the micrograph filled with the nearest inside.

    Parameters
    ----------
    micrograph : Tensor
        ``(h, w)``, of any number type: what is not cut is neither converted nor even read.
    begin : Corners
        Windows that all touch the micrograph, see `touching`.
    size : int
        Pixels along each side.
    dtype : torch.dtype
        Number type of the windows.
    """
    if not len(begin.y):
        return micrograph.new_empty(0, size, size, dtype=dtype)
    places = zip(begin.y.tolist(), begin.x.tolist(), strict=True)
    return torch.stack([_window(micrograph, y, x, size, dtype) for y, x in places]).to(dtype)


def _window(micrograph: Tensor, y: int, x: int, size: int, dtype: torch.dtype) -> Tensor:
    """One window; a view where it lies inside."""
    part = micrograph[max(y, 0) : y + size, max(x, 0) : x + size]
    if part.shape == (size, size):
        return part
    top, left = max(-y, 0), max(-x, 0)
    margins = (left, size - left - part.shape[1], top, size - top - part.shape[0])
    return pad(part[None, None].to(dtype), margins, mode="replicate")[0, 0]
