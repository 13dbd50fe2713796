"""Byte order and sign of the numbers of an MRC file, where its mode alone is ambiguous."""

from __future__ import annotations

import struct
from os import PathLike
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

DTYPES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
_OTHER = {"i1": "u1", "i2": "u2", "u2": "i2"}
"""The same bytes with the other sign."""

_HEADER = 1024
_IMOD = 1146047817  # word 39 of files by IMOD; bit 0 of word 40 then says that bytes are signed
_STAMPS = {"<": 0x44, ">": 0x11}  # byte 213
_CHUNKS, _CHUNK = 16, 4096
_NEAR = 32
_CLEAR = 4  # ratio of bytes near 128 to those near 0 above which numbers count as unsigned

Order = Literal["<", ">"]


class _Sizes(NamedTuple):
    nx: int
    ny: int
    nz: int
    mode: int
    extended: int

    @property
    def expected(self) -> int:
        """Bytes of a whole file; 0 where there can be none."""
        if self.mode not in DTYPES or min(self.nx, self.ny) < 1 or min(self.nz, self.extended) < 0:
            return 0
        pixels = self.nx * self.ny * self.nz
        return _HEADER + self.extended + pixels * np.dtype(DTYPES[self.mode]).itemsize


def byte_order(raw: bytes, length: int) -> Order:
    """Return the byte order in which a header is plausible.

    That is the one of a known mode and a possible width; of two, the one whose sizes are the length of the
    file (or at least fit into it), then the one that the machine stamp names, then the smaller width.

    Parameters
    ----------
    raw : bytes
        The header.
    length : int
        Of the whole file.
    """

    def rank(order: Order) -> tuple[bool, bool, bool, bool, bool]:
        sizes = _sizes(raw, order)
        possible = 0 <= sizes.mode <= 255 and 0 < sizes.nx < 2**24
        exact, fits = sizes.expected == length, 0 < sizes.expected <= length
        return possible, exact, fits, raw[212] == _STAMPS[order], 0 < sizes.nx <= 65535

    return ">" if rank(">") > rank("<") else "<"


def _sizes(raw: bytes, order: Order) -> _Sizes:
    return _Sizes(*struct.unpack(f"{order}4i", raw[:16]), *struct.unpack(f"{order}i", raw[92:96]))


def number_type(path: str | PathLike[str], raw: bytes, order: Order, offset: int) -> np.dtype[np.generic]:
    """Return the type of the numbers, with the sign that header and numbers agree on.

    Programs differ on the sign of mode 0, and some write unsigned numbers as mode 1. The range in the header
    decides where only one sign fits it; then IMOD's stamp; then where bytes cluster, as grey values of
    micrographs lie around 0 or around 128. Else the type is the standard's.

    Parameters
    ----------
    path : path-like
        A whole file.
    raw : bytes
        Its header.
    order : {"<", ">"}
    offset : int
        Of the first number.
    """
    mode = _sizes(raw, order).mode
    usual = np.dtype(DTYPES[mode]).newbyteorder(order)
    least, largest = struct.unpack(f"{order}2f", raw[76:84])
    doubtful = {0: True, 1: largest > 2**15 - 1, 6: least < 0}.get(mode, False)
    if not doubtful:
        return usual
    other = np.dtype(_OTHER[DTYPES[mode]]).newbyteorder(order)
    sample = _sample(path, usual, offset)
    fits, other_fits = (_within(sample.view(kind), least, largest) for kind in (usual, other))
    if fits != other_fits:
        return usual if fits else other
    if mode != 0:
        return usual
    return other if _bytes_are_unsigned(raw, order, sample, least, largest) else usual


def _bytes_are_unsigned(
    raw: bytes, order: Order, sample: npt.NDArray[np.generic], least: float, largest: float
) -> bool:
    if 0 <= least < 127 < largest <= 255:
        return True
    stamp, flags = struct.unpack(f"{order}2i", raw[152:160])
    if stamp == _IMOD:
        return not flags & 1
    grey = sample.view(np.uint8).astype(np.int16)
    near_zero = int((np.minimum(grey, 256 - grey) < _NEAR).sum())
    return int((np.abs(grey - 128) < _NEAR).sum()) > _CLEAR * near_zero


def _within(values: npt.NDArray[np.generic], least: float, largest: float) -> bool:
    """Whether numbers are in the range of a header; in one that says nothing none are."""
    if not least < largest or not len(values):
        return False
    return bool(values.min() >= least - 1 and values.max() <= largest + 1)


def _sample(path: str | PathLike[str], dtype: np.dtype[np.generic], offset: int) -> npt.NDArray[np.generic]:
    """Numbers from all over a file."""
    numbers = np.memmap(path, dtype, "r", offset)
    starts = np.unique(np.linspace(0, max(0, len(numbers) - _CHUNK), _CHUNKS).astype(int))
    return np.concatenate([numbers[start : start + _CHUNK] for start in starts.tolist()])
