"""The micrographs of a picking job: files, pixel sizes, CTFs."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from cryoflow.compute.image.ctf import CtfParameters
from cryoflow.errors import FileError
from cryoflow.files.job_paths import check_one_file_each, stem_below_job
from cryoflow.files.mrc import read_image
from cryoflow.files.star import StarStyle
from cryoflow.files.tables import Table, read_micrographs, require
from cryoflow.jobs.inputs.ctf import CTF_NEEDED, ctf_parameters, usable
from cryoflow.jobs.inputs.pixel_sizes import micrograph_pixel_sizes
from cryoflow.jobs.inputs.sanity import check_ctf
from cryoflow.project.context import JobContext
from cryoflow.spec import AutoPick

SAME_SIZE = 1e-2
"""Relative difference below which two pixel sizes count as equal."""


class Micrograph(NamedTuple):
    """One row of the input table."""

    name: str
    """As the table has it, project-relative."""
    pixel_size_a: float
    ctf: CtfParameters | None
    """None when references are not CTF corrected, or this row has no usable values."""

    @property
    def stem(self) -> str:
        """Below the job directory, without extension: ``Micrographs/mic001``."""
        return stem_below_job(self.name)


class MicrographList(NamedTuple):
    """All rows, and the style of their table."""

    micrographs: tuple[Micrograph, ...]
    style: StarStyle


def list_micrographs(spec: AutoPick, context: JobContext) -> MicrographList:
    """Read the table of micrographs.

    Raises
    ------
    FileError
        When it is empty or lacks a column that the spec needs, or two rows would write the same file.
    """
    table = read_micrographs(context.resolve(spec.io.input_micrographs_for_autopick))
    require(table, "rlnMicrographName")
    if not len(table.rows):
        raise FileError(table.path, "holds no micrographs")
    with_ctf = spec.references.are_references_ctf_corrected and not spec.io.use_laplacian_of_gaussian
    if with_ctf:
        require(table, *CTF_NEEDED, why=", and 'Are References CTF corrected?' is Yes")
        check_ctf(context, table)
    names = table.rows["rlnMicrographName"].astype(str).tolist()
    check_one_file_each(table.path, names, "coordinates")
    if not spec.autopicking.read_fom_maps:
        context.reads(names)
    sizes = _pixel_sizes(spec, context, table)
    ctfs = _ctfs(table.rows) if with_ctf else [None] * len(names)
    rows = zip(names, sizes, ctfs, strict=True)
    style = table.style if spec.star_style == "input" else spec.star_style
    return MicrographList(tuple(Micrograph(*row) for row in rows), style)


def read_micrograph(context: JobContext, micrograph: Micrograph) -> Tensor:
    """Read the pixels, float32 ``(h, w)``.

    Raises
    ------
    FileError
        When the file is missing, broken, or not a single image.
    """
    return torch.from_numpy(read_image(context.resolve(micrograph.name)))


def _pixel_sizes(spec: AutoPick, context: JobContext, table: Table) -> tuple[float, ...]:
    field = "Pixel size in micrographs (A)"
    found = micrograph_pixel_sizes(context, table, spec.io.pixel_size_in_micrographs, field)
    if found is None:
        headers = "nor have the micrographs' headers (0 and 1 A mean that it was not set)"
        raise FileError(table.path, f"has no pixel size, {headers}; set '{field}'")
    return found.values


def _ctfs(rows: pd.DataFrame) -> list[CtfParameters | None]:
    everything = ctf_parameters(rows)
    each = [CtfParameters(*values) for values in zip(*(field.unbind() for field in everything), strict=True)]
    return [ctf if good else None for ctf, good in zip(each, usable(everything).tolist(), strict=True)]
