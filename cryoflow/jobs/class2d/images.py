"""Usable images: readable, finite, of one box size, with a CTF; and whether they are normalised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d import Options
from cryoflow.compute.image.masks import outside_disc
from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.mrc import MrcHeader, read_images, split_image_name
from cryoflow.files.mrc.read import NO_NUMBER
from cryoflow.files.tables import Table
from cryoflow.jobs.class2d.source import make_ctf
from cryoflow.jobs.inputs.ctf import usable
from cryoflow.project.context import Failure, JobContext

SCAN = 512
IMAGE_BROKEN = "its image has values that are not finite (NaN or infinite)"
CTF_BROKEN = "its CTF columns have invalid values (NaN, or out of range)"


class Scan(NamedTuple):
    """Background of each image, ``(N,)``; NaN for images with values that are not finite."""

    mean: Tensor
    deviation: Tensor


def why_unreadable(table: Table, headers: Mapping[str, MrcHeader | FileError]) -> list[str]:
    """Why each image cannot be read; empty for those that can."""

    def why(name: str) -> str:
        index, stack = split_image_name(name)
        header = headers[stack]
        if isinstance(header, FileError):
            return header.message
        if "@" not in name and header.nz > 1:
            return f"{NO_NUMBER}, and its file holds {header.nz} images"
        return "" if index < header.nz else f"its stack holds {header.nz} images"

    return [why(str(name)) for name in table.rows["rlnImageName"]]


def box_of(table: Table, headers: Mapping[str, MrcHeader | FileError]) -> int:
    """Box size of the images, all of which must be readable."""
    boxes: dict[int, str] = {}
    for stack in dict.fromkeys(split_image_name(str(name))[1] for name in table.rows["rlnImageName"]):
        header = headers[stack]
        assert not isinstance(header, FileError)
        if header.nx != header.ny or header.nx % 2:
            raise FileError(
                stack, f"images of {header.nx} x {header.ny} px; classification needs square, even boxes"
            )
        boxes.setdefault(header.nx, stack)
    if len(boxes) > 1:
        (first, one), (second, other), *_ = boxes.items()
        raise FileError(
            other, f"boxes of {second} px where {one} has {first} px; extract all particles with one box size"
        )
    return next(iter(boxes))


def scan_images(context: JobContext, table: Table, options: Options) -> Scan:
    """Read every image once: mean and standard deviation outside the particle."""
    names = [str(name) for name in table.rows["rlnImageName"]]
    radius = options.mask_diameter_a / (2 * options.pixel_size_a)
    outside = outside_disc(options.box, radius).flatten()
    outside = outside if outside.any() else torch.ones_like(outside)
    means, deviations = [], []
    for first in range(0, len(names), SCAN):
        images = torch.from_numpy(read_images(names[first : first + SCAN], context.project)).flatten(1)
        background = images[:, outside].double()
        bad = ~torch.isfinite(images).all(1)
        means.append(background.mean(1).masked_fill(bad, torch.nan))
        deviations.append(background.std(1, correction=0))
    return Scan(torch.cat(means), torch.cat(deviations))


def why_broken(table: Table, scan: Scan, needs_ctf: bool) -> list[str]:
    """Why each particle cannot be used; empty for those that can."""
    pixels = torch.isnan(scan.mean).tolist()
    ctf = ~usable(make_ctf(table.rows, True)) if needs_ctf else torch.zeros_like(scan.mean, dtype=torch.bool)
    return [
        IMAGE_BROKEN if image else CTF_BROKEN if value else ""
        for image, value in zip(pixels, ctf.tolist(), strict=True)
    ]


def without_broken(table: Table, broken: list[str]) -> tuple[Table, tuple[Failure, ...]]:
    """The rows that can be used, and a failure for each other one.

    Raises
    ------
    CryoflowError
        When none can be used.
    """
    names = table.rows["rlnImageName"]
    failures = tuple(Failure(str(name), why) for name, why in zip(names, broken, strict=True) if why)
    if len(failures) == len(names):
        raise CryoflowError(f"{failures[0].item}: {failures[0].message}, and no other particle can be used")
    good = [not why for why in broken]
    return table._replace(rows=table.rows[good].reset_index(drop=True)), failures
