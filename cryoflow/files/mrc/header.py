"""The header of an MRC2014 file: number type, shape and pixel size."""

from __future__ import annotations

from os import PathLike
from typing import NamedTuple

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE

from cryoflow.errors import FileError
from cryoflow.files.atomic import unreadable
from cryoflow.files.magic import file_kind
from cryoflow.files.mrc.moments import Moments
from cryoflow.files.mrc.number_type import DTYPES, Order, byte_order, number_type
from cryoflow.plain_files import open_plain

SIZE = 1024  # bytes
LABEL = "cryoflow"
_REFUSED = {3: "complex 16-bit", 4: "complex 32-bit", 101: "4-bit"}


UNSET = (0.0, 1.0)
"""Pixel sizes in headers that mean "not set"."""


class MrcHeader(NamedTuple):
    """Shape, number type and scale of an MRC file.

    Attributes
    ----------
    nz, ny, nx : int
        Images or sections, rows, columns.
    mode : int
        0 int8 (or uint8, see `number_type`), 1 int16, 2 float32, 6 uint16, 12 float16.
    pixel_size : float
        Angstrom per pixel along x; 0 if not given.
    label : str
        The first of its labels.
    """

    nz: int
    ny: int
    nx: int
    mode: int
    pixel_size: float
    label: str = LABEL

    @property
    def known_pixel_size(self) -> float | None:
        """Angstrom per pixel; None if not set, which a value of 0 or 1 indicates."""
        return None if self.pixel_size in UNSET else self.pixel_size


class Layout(NamedTuple):
    """Offset and type, including byte order, of the numbers of a file."""

    header: MrcHeader
    offset: int
    dtype: np.dtype[np.generic]


def read_header(path: str | PathLike[str]) -> MrcHeader:
    """Read the header of an MRC file and compare it with the length of the file.

    Raises
    ------
    FileError
        When the file cannot be read, is not an MRC file, holds complex or 4-bit numbers, or is too short.
    """
    return read_layout(path).header


def read_layout(path: str | PathLike[str]) -> Layout:
    """Read the header as `read_header` does, with what is needed to get at the numbers."""
    try:
        with open_plain(path) as file:
            raw = file.read(SIZE)
            found = file.seek(0, 2)
    except OSError as error:
        raise unreadable(path, error) from error
    if (kind := file_kind(path, raw)) is not None:
        raise FileError(path, f"is {kind}; micrographs and particles must be MRC files: convert it")
    if len(raw) < SIZE:
        raise FileError(path, f"not an MRC file: {found} bytes are fewer than the {SIZE} of a header")
    order = byte_order(raw, found)
    layout = _layout(raw, path, order)
    header = layout.header
    expected = layout.offset + header.nz * header.ny * header.nx * layout.dtype.itemsize
    if found < expected:
        shape = f"{header.nz} x {header.ny} x {header.nx} of mode {header.mode}"
        raise FileError(path, f"truncated: {shape} need {expected} bytes, found {found}; copy the file again")
    return layout._replace(dtype=number_type(path, raw, order, layout.offset))


def _layout(raw: bytes, path: str | PathLike[str], order: Order) -> Layout:
    fields = np.frombuffer(raw, HEADER_DTYPE.newbyteorder(order))[0]
    nz, ny, nx, mode, extended = (int(fields[name]) for name in ("nz", "ny", "nx", "mode", "nsymbt"))
    if mode in _REFUSED and min(ny, nx) > 0:
        raise FileError(path, f"mode {mode} ({_REFUSED[mode]}) is not supported; convert to mode 2 (float32)")
    if mode not in DTYPES or min(ny, nx) < 1 or nz < 0 or extended < 0:
        raise FileError(path, f"not an MRC file: its header gives {nz} x {ny} x {nx} of mode {mode}")
    if nz == 0:
        raise FileError(path, "holds 0 images")
    label = bytes(fields["label"][0]).decode("ascii", "replace").rstrip("\0 ")
    header = MrcHeader(nz, ny, nx, mode, _pixel_size(fields), label)
    return Layout(header, SIZE + extended, np.dtype(DTYPES[mode]).newbyteorder(order))


def _pixel_size(fields: np.void) -> float:
    cell, samples = float(fields["cella"]["x"]), int(fields["mx"])
    # single precision in the file: 1.77 * 820 / 820 should read 1.77
    size = float(f"{cell / samples:.6g}") if samples > 0 else 0.0
    return size if np.isfinite(size) and size > 0 else 0.0


def make_header(
    shape: tuple[int, ...],
    moments: Moments,
    pixel_size: float,
    mode: int,
    is_stack: bool,
    label: str = LABEL,
) -> bytes:
    """Make the 1024 bytes that go before numbers of shape (nz, ny, nx) in the type of `mode`."""
    nz, ny, nx = shape
    fields = np.zeros((), HEADER_DTYPE.newbyteorder("<"))
    sections = 1 if is_stack else nz
    plain = {
        "nx": nx, "ny": ny, "nz": nz, "mode": mode, "mx": nx, "my": ny, "mz": sections,
        "mapc": 1, "mapr": 2, "maps": 3, "ispg": 0 if is_stack else 1, "nversion": 20141, "map": b"MAP ",
        "nlabl": 1,
    }  # fmt: skip
    for name, value in plain.items():
        fields[name] = value
    fields["dmin"], fields["dmax"] = moments.least, moments.largest
    fields["dmean"], fields["rms"] = moments.mean, moments.sd
    fields["cella"] = (nx * pixel_size, ny * pixel_size, sections * pixel_size)
    fields["cellb"] = (90, 90, 90)
    fields["machst"] = (0x44, 0x44, 0, 0)
    fields["label"][0] = label.encode("ascii")
    return fields.tobytes()
