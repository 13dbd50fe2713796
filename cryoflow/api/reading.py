"""Reading micrographs, references, particles and STAR files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from cryoflow.api.arrays import positive
from cryoflow.api.ctf import Ctf
from cryoflow.api.images import Micrograph, Particles, References
from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.mrc import read_header, read_image, read_images
from cryoflow.files.mrc.header import UNSET
from cryoflow.files.star import Block, StarStyle, table_block
from cryoflow.files.star import read_star as _read_star
from cryoflow.files.star import write_star as _write_star
from cryoflow.files.tables import one_pixel_size, pixel_size, require
from cryoflow.files.tables import read_micrographs as _read_micrographs
from cryoflow.files.tables import read_particles as _read_particles
from cryoflow.jobs.inputs.ctf import CTF_NEEDED
from cryoflow.jobs.inputs.references import read_references as _read_references
from cryoflow.project.context import JobContext

Row = Mapping[str, Any]
"""A row of a STAR table by RELION's column names."""


@dataclass(frozen=True, eq=False)
class MicrographTable:
    """A table of micrographs; iterating reads one micrograph after the other.

    Attributes
    ----------
    rows : DataFrame
        One row per micrograph, in RELION 3.0's terms (optics values in every row).
    project : Path
        The folder that the names in the table start from.
    path : Path
        Where the table came from.
    """

    rows: pd.DataFrame = field(repr=False)
    project: Path
    path: Path

    def __len__(self) -> int:
        return len(self.rows)

    def row(self, index: int) -> dict[str, Any]:
        """Return a row, e.g. for the ``ctf`` of `read_micrograph`."""
        return {str(name): value for name, value in self.rows.iloc[index].items()}

    def __getitem__(self, index: int) -> Micrograph:
        """Read a micrograph, with the CTF and pixel size of its row."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"micrograph {index} is out of range; there are {len(self)}")
        row = self.row(index)
        name = str(row["rlnMicrographName"])
        return _micrograph(self.project / name, name, row, None, None)

    def __iter__(self) -> Iterator[Micrograph]:
        return (self[index] for index in range(len(self)))

    def to_frame(self) -> pd.DataFrame:
        """Return the rows with RELION's column names."""
        return self.rows.copy()


def read_micrographs(path: str | PathLike[str], project: str | PathLike[str] = ".") -> MicrographTable:
    """Read a table of micrographs, e.g. ``CtfFind/job003/micrographs_ctf.star``, of RELION 3.0 or later.

    Raises
    ------
    FileError
        If it cannot be read or has no ``rlnMicrographName``.
    """
    table = _read_micrographs(Path(project) / path)
    require(table, "rlnMicrographName")
    return MicrographTable(table.rows, Path(project), table.path)


def read_micrograph(
    path: str | PathLike[str], *, ctf: Ctf | Row | None = None, pixel_size_a: float | None = None
) -> Micrograph:
    """Read a micrograph from an MRC file: float32 pixels ``(h, w)``, axes y, x.

    Parameters
    ----------
    path : path-like
    ctf : Ctf or mapping, optional
        The CTF, or a row of a STAR table (`MicrographTable.row`), whose columns then go to the particles.
    pixel_size_a : float, optional
        A per pixel; by default that of the row, or of the file's header.

    Raises
    ------
    FileError
        If the file is missing, damaged or not a single image, or the pixel size is unknown.
    ArgumentError
        If the row gives no finite CTF.
    """
    row = {} if ctf is None or isinstance(ctf, Ctf) else {str(name): value for name, value in ctf.items()}
    name = str(row.get("rlnMicrographName", path))
    return _micrograph(Path(path), name, row, ctf if isinstance(ctf, Ctf) else None, pixel_size_a)


def _micrograph(path: Path, name: str, row: Row, ctf: Ctf | None, pixel_size_a: float | None) -> Micrograph:
    pixels = read_image(path)
    if ctf is None and set(CTF_NEEDED) <= row.keys():
        ctf = Ctf.from_row(row)
    if pixel_size_a is None:
        pixel_size_a = _row_pixel(row) or _header_pixel(path)
    return Micrograph(pixels, positive(pixel_size_a, "pixel_size_a"), ctf, name, row)


def _row_pixel(row: Row) -> float | None:
    try:
        return float(pixel_size(pd.DataFrame([dict(row)]))[0])
    except CryoflowError:
        return None


def _header_pixel(path: Path) -> float:
    size = read_header(path).pixel_size
    if size in UNSET:
        raise FileError(path, f"its header has no pixel size ({size:g} A); give pixel_size_a")
    return size


def read_references(
    path: str | PathLike[str], *, pixel_size_a: float | None = None, project: str | PathLike[str] = "."
) -> References:
    """Read 2D references: float64 images ``(n, box, box)``.

    Parameters
    ----------
    path : path-like
        An MRC stack, a model.star, or a table with ``rlnReferenceImage`` or ``rlnImageName``.
    pixel_size_a : float, optional
        A per pixel; by default that of the stack's header.
    project : path-like
        The folder that the names in a STAR file start from.

    Raises
    ------
    FileError
        If they cannot be read, are volumes, or their pixel size is unknown.
    """
    root = Path(project).absolute()
    stack = _read_references(JobContext(root, root), str(path))
    size = stack.header_pixel_a if pixel_size_a is None else pixel_size_a
    if size is None:
        raise FileError(path, "the header has no pixel size; give pixel_size_a")
    return References(stack.images.numpy(), size)


def read_particles(path: str | PathLike[str], project: str | PathLike[str] = ".") -> Particles:
    """Read particles and all their images, float32 ``(n, box, box)``.

    Raises
    ------
    FileError
        If they cannot be read, there are none, or their boxes or pixel sizes differ.
    """
    table = _read_particles(Path(project) / path)
    require(table, "rlnImageName")
    if not len(table.rows):
        raise FileError(path, "holds no particles")
    images = read_images(table.rows["rlnImageName"].astype(str).tolist(), Path(project))
    return Particles(images, one_pixel_size(table, str(path)), table.rows.reset_index(drop=True))


def read_star(path: str | PathLike[str]) -> dict[str, Block]:
    """Read a STAR file: a DataFrame for each loop, a dict for each list of keys and values.

    Block and column names as in `starfile.read(path, always_dict=True)`: without ``data_`` and the leading
    underscore.

    Raises
    ------
    FileError
        If it cannot be read; the message gives the line of the error.
    """
    return _read_star(path)


def read_table(path: str | PathLike[str], block: str | None = None) -> pd.DataFrame:
    """Read one table of a STAR file.

    Parameters
    ----------
    path : path-like
    block : str, optional
        Which of several tables. By default particles or micrographs with optics groups come in RELION 3.0's
        terms: optics values in every row, offsets in pixels.

    Raises
    ------
    FileError
        If there is no such table, or there are several and no ``block``.
    """
    blocks = _read_star(path)
    if block is None and "optics" in blocks:
        read = _read_particles if "particles" in blocks else _read_micrographs
        return read(path).rows
    tables = [name for name, found in blocks.items() if isinstance(found, pd.DataFrame)]
    if block is None and len(tables) != 1:
        raise FileError(path, f"holds {len(tables)} tables ({', '.join(tables)}); give block")
    return table_block(path, blocks, tables[0] if block is None else block)


def write_star(
    path: str | PathLike[str], blocks: pd.DataFrame | Mapping[str, Block], *, style: StarStyle = "3.0"
) -> None:
    """Write a table, or blocks by name, to a STAR file as RELION does; the same values give the same bytes.

    Parameters
    ----------
    path : path-like
    blocks : DataFrame or mapping
        One table (``data_``), or blocks as `read_star` returns them.
    style : {"3.0", "3.1"}
        "3.1" puts ``# version 30001`` before each block.

    Raises
    ------
    FileError
        If a name or value cannot be written to a STAR file, or the file cannot be written.
    """
    _write_star(path, {"": blocks} if isinstance(blocks, pd.DataFrame) else blocks, style)
