"""References that several jobs compare with: class averages from a STAR file or a stack."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.errors import FileError
from cryoflow.files.mrc import read_header, read_images, read_stack
from cryoflow.files.mrc.header import UNSET
from cryoflow.files.star import as_table, read_star
from cryoflow.jobs.inputs.relocated import image_beside, stacks_of
from cryoflow.project.context import JobContext


class Stack(NamedTuple):
    """References as they were given."""

    images: Tensor
    """``(refs, n, n)`` float64."""
    header_pixel_a: float | None
    """Pixel size in the first file's header, if it was set."""
    files: tuple[str, ...]
    """Project-relative names of what was read."""


def read_references(context: JobContext, name: str) -> Stack:
    """Read references from a model.star, a table with ``rlnReferenceImage`` or ``rlnImageName``, or an
    MRC stack.

    Raises
    ------
    FileError
        When there are none, or they are volumes.
    """
    path = context.resolve(name)
    if path.suffix in (".mrc", ".mrcs"):
        header = read_header(path)
        return _stack(torch.from_numpy(read_stack(path)), header.pixel_size, (name,))
    names = [image_beside(context, image, path) for image in _image_names(path)]
    files = stacks_of(names)
    context.reads(files)
    for image in names:
        if "@" not in image and read_header(context.resolve(image)).nz > 1:
            raise FileError(path, f"the reference {image} is a volume; give 2D references")
    images = torch.from_numpy(read_images(names, context.project))
    return _stack(images, read_header(context.resolve(files[0])).pixel_size, (name, *files))


def _image_names(path: Path) -> list[str]:
    blocks = read_star(path)
    columns = ("rlnReferenceImage", "rlnImageName")
    tables = [as_table(block) for block in (blocks.get("model_classes", {}), *blocks.values())]
    for table in tables:
        for column in columns:
            if column in table.columns:
                if len(table) == 0:
                    raise FileError(path, "holds no references")
                names: list[str] = table[column].astype(str).tolist()
                if "" in names:
                    raise FileError(path, f"{column} of row {names.index('') + 1} is empty; remove the row")
                return names
    raise FileError(path, f"holds no references: no table with {' or '.join(columns)}")


def _stack(images: Tensor, header_pixel_a: float, files: tuple[str, ...]) -> Stack:
    known = header_pixel_a if header_pixel_a not in UNSET else None
    return Stack(images.double(), known, files)
