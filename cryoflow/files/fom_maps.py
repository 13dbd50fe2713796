"""Picking maps on disk: one MRC file a micrograph, and RELION's SPIDER files.

The MRC file holds the maps as float32 sections; their settings are stored as JSON in its extended header, so
that viewers show the maps and settings cannot be separated from them.
"""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from mrcfile.dtypes import HEADER_DTYPE

from cryoflow.errors import FileError
from cryoflow.files.atomic import write_bytes
from cryoflow.files.mrc import read_volume
from cryoflow.files.mrc.header import SIZE, make_header, read_layout
from cryoflow.files.mrc.moments import Moments
from cryoflow.files.spider import read_spider

Floats = npt.NDArray[np.float32]

_EXTENDED_TYPE = b"JSON"


class StoredMaps(NamedTuple):
    """Maps and their metadata.

    Attributes
    ----------
    maps : ndarray, (n, h, w) float32
    about : dict
        Plain JSON values.
    """

    maps: Floats
    about: dict[str, Any]


class RelionMaps(NamedTuple):
    """Maps of one micrograph as RELION wrote them, on a square of the micrograph's longer side.

    Attributes
    ----------
    fom, psi_deg : ndarray, (refs, n, n) float32
    sd, mean : ndarray, (n, n) float32
    expected : tuple of float
        Expected ratio of each reference, from the field for the maximum of its FOM map.
    """

    fom: Floats
    psi_deg: Floats
    sd: Floats
    mean: Floats
    expected: tuple[float, ...]


def write_fom_maps(path: str | PathLike[str], stored: StoredMaps, pixel_size: float) -> None:
    """Write maps atomically; the same maps give the same bytes."""
    maps = np.ascontiguousarray(stored.maps, dtype="<f4")
    about = json.dumps(stored.about, sort_keys=True).encode()
    about += b" " * (-len(about) % 16)
    moments = Moments()
    moments.add(maps)
    plain = make_header(maps.shape, moments, pixel_size, 2, is_stack=True)
    header = np.frombuffer(plain, HEADER_DTYPE.newbyteorder("<")).copy()
    header["nsymbt"], header["exttyp"] = len(about), _EXTENDED_TYPE
    write_bytes(path, header.tobytes(), about, maps.tobytes())


def read_fom_maps(path: str | PathLike[str]) -> StoredMaps:
    """Read what `write_fom_maps` wrote.

    Raises
    ------
    FileError
        When the file cannot be read, is truncated, or was not written by cryoflow.
    """
    return StoredMaps(read_volume(path), read_about(path))


def read_about(path: str | PathLike[str]) -> dict[str, Any]:
    """Read only the metadata of a file."""
    layout = read_layout(path)
    with Path(path).open("rb") as file:
        raw = file.read(layout.offset)
    if np.frombuffer(raw[:SIZE], HEADER_DTYPE)[0]["exttyp"] == _EXTENDED_TYPE:
        try:
            about = json.loads(raw[SIZE:])
        except ValueError:
            about = None
        if isinstance(about, dict):
            return about
    raise FileError(path, "holds no figure-of-merit maps of cryoflow; write them again")


def relion_map_files(stem: str | PathLike[str], references: int) -> list[Path]:
    """Names of RELION's maps below a stem such as ``AutoPick/job010/Micrographs/mic001_autopick``."""
    best = [f"ref{number:06d}._best{kind}" for kind in ("CCF", "PSI") for number in range(references)]
    return [Path(f"{stem}_{name}.spi") for name in (*best, "stddevNoise", "avgNoise")]


def read_relion_maps(stem: str | PathLike[str], references: int) -> RelionMaps:
    """Read RELION's maps of a micrograph.

    Raises
    ------
    FileError
        When one is missing or broken, there are maps of more references, or their sizes differ.
    """
    files = relion_map_files(stem, references)
    beyond = relion_map_files(stem, references + 1)[references]
    if beyond.exists():
        raise FileError(
            beyond,
            f"a map of reference {references + 1}, but the spec has {references}; set 'Read FOM maps?' to No",
        )
    images = [read_spider(file) for file in files]
    for file, image in zip(files, images, strict=True):
        if image.data.shape != images[0].data.shape:
            raise FileError(file, f"differs in size from {files[0].name}; set 'Read FOM maps?' to No")
    data = np.stack([image.data for image in images])
    expected = tuple(image.maximum for image in images[:references])
    return RelionMaps(data[:references], data[references:-2], data[-2], data[-1], expected)


def has_relion_maps(stem: str | PathLike[str]) -> bool:
    """Whether RELION left maps for a micrograph."""
    return relion_map_files(stem, 0)[0].exists()
