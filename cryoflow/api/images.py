"""Arguments of the public functions: micrographs, references, particles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from cryoflow.api.arrays import Array, check_array, positive
from cryoflow.api.ctf import Ctf
from cryoflow.errors import ArgumentError
from cryoflow.files.tables import Table


def _to(values: Array, device: str | torch.device) -> Tensor:
    return torch.as_tensor(values if isinstance(values, Tensor) else np.ascontiguousarray(values)).to(device)


@dataclass(frozen=True, eq=False)
class Micrograph:
    """A micrograph.

    Attributes
    ----------
    pixels : array
        ``(h, w)``: axes y, x; the centre of the first pixel is the origin of coordinates.
    pixel_size_a : float
        A per pixel.
    ctf : Ctf, optional
        Needed where references are CTF corrected.
    name : str
        As in tables, e.g. ``Micrographs/mic001.mrc``.
    row : mapping
        Its row of a STAR table, for the columns of extracted particles.

    Raises
    ------
    ArgumentError
        If the pixels are not a 2D image of real numbers, or the pixel size is not positive.
    """

    pixels: Array
    pixel_size_a: float
    ctf: Ctf | None = None
    name: str = ""
    row: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        positive(self.pixel_size_a, "pixel_size_a")
        check_array(self.pixels, self.label, "h w")

    @property
    def label(self) -> str:
        """Its name in messages."""
        return f"micrograph {self.name}".rstrip()

    def to(self, device: str | torch.device) -> Micrograph:
        """Return it with its pixels as a tensor on a device; results then come as tensors on that device."""
        return replace(self, pixels=_to(self.pixels, device))


@dataclass(frozen=True, eq=False)
class References:
    """2D references, e.g. class averages.

    Attributes
    ----------
    images : array
        ``(n, box, box)``: axes reference, y, x; the centre is pixel ``box // 2``.
    pixel_size_a : float
        A per pixel.
    """

    images: Array
    pixel_size_a: float
    prepared: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)
    """Cache of the last search; internal."""

    def __post_init__(self) -> None:
        positive(self.pixel_size_a, "pixel_size_a")
        square(check_array(self.images, "references", "n box box"), "references")

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: str | torch.device) -> References:
        """Return them as a tensor on a device."""
        return replace(self, images=_to(self.images, device))


@dataclass(frozen=True, eq=False)
class Particles:
    """Images of particles, and their rows.

    Attributes
    ----------
    images : array
        ``(n, box, box)``: axes particle, y, x; the centre is pixel ``box // 2``, box even.
    pixel_size_a : float
        A per pixel.
    rows : DataFrame
        One row per particle, in RELION 3.0's terms: optics values in every row, offsets in pixels.
    """

    images: Array
    pixel_size_a: float
    rows: pd.DataFrame = field(repr=False)

    def __post_init__(self) -> None:
        positive(self.pixel_size_a, "pixel_size_a")
        square(check_array(self.images, "particles", "n box box"), "particles")
        if len(self.rows) != len(self.images):
            raise ArgumentError(f"particles: {len(self.images)} images but {len(self.rows)} rows")

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, some: slice | Sequence[int] | npt.NDArray[Any]) -> Particles:
        """Select particles by a slice, indices, or a mask ``(n,)``."""
        index = np.arange(len(self))[some if isinstance(some, slice) else np.asarray(some)]
        taken = torch.from_numpy(index) if isinstance(self.images, Tensor) else index
        rows = self.rows.iloc[index].reset_index(drop=True)
        return replace(self, images=self.images[taken], rows=rows)

    @classmethod
    def concat(cls, parts: Sequence[Particles]) -> Particles:
        """Concatenate particles, e.g. those of several micrographs.

        Raises
        ------
        ArgumentError
            If there are none, or their boxes or pixel sizes differ.
        """
        kinds = {(part.images.shape[1:], round(part.pixel_size_a, 4)) for part in parts}
        if len(kinds) != 1:
            raise ArgumentError(f"particles: {len(kinds)} different boxes or pixel sizes; give one")
        rows = pd.concat([part.rows for part in parts], ignore_index=True)
        tensors = [part.images for part in parts if isinstance(part.images, Tensor)]
        if tensors and len(tensors) < len(parts):
            raise ArgumentError("particles: a mix of tensors and numpy arrays; give one kind")
        arrays = [part.images for part in parts if not isinstance(part.images, Tensor)]
        images: Array = torch.cat(tensors) if tensors else np.concatenate(arrays)
        return cls(images, parts[0].pixel_size_a, rows)

    def to(self, device: str | torch.device) -> Particles:
        """Return them with their images as a tensor on a device."""
        return replace(self, images=_to(self.images, device))

    def to_frame(self) -> pd.DataFrame:
        """Return the rows with RELION's column names."""
        return self.rows.copy()


def table_of(particles: Particles) -> Table:
    """Return the rows as a table for the jobs."""
    return Table(particles.rows.reset_index(drop=True), "3.0", Path("particles"), "")


def square(images: Array, what: str) -> None:
    """Check that images are square.

    Raises
    ------
    ArgumentError
        If they are not.
    """
    height, width = images.shape[-2:]
    if height != width:
        raise ArgumentError(f"{what}: {width} x {height} pixels; images must be square")
