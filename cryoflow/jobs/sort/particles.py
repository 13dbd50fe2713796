"""Read and check the particles to be sorted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from cryoflow.compute.sort.residual import CtfOptions, Poses
from cryoflow.errors import FileError
from cryoflow.files.mrc import read_header, split_image_name
from cryoflow.files.tables import Table, one_pixel_size, read_particles, require
from cryoflow.jobs.inputs.ctf import CTF_NEEDED, ctf_parameters, usable
from cryoflow.jobs.inputs.images import check_images, stack_headers
from cryoflow.jobs.inputs.sanity import check_ctf
from cryoflow.project.context import JobContext
from cryoflow.spec import Sort

MANUAL = -999
"""Class number of particles picked by hand; other programs without classes write -9999 or -1."""


class Particles(NamedTuple):
    """Particles, and their common properties."""

    table: Table
    pixel_size_a: float
    box: int
    classes: npt.NDArray[np.int64]
    """Class numbers from 1, or -999."""
    names: list[str]
    """Image names."""

    @property
    def manual(self) -> npt.NDArray[np.bool_]:
        """Mask of particles picked by hand."""
        return np.equal(self.classes, MANUAL)


def read(spec: Sort, context: JobContext, references: int) -> Particles:
    """Read the particles' table and check it.

    Parameters
    ----------
    spec : Sort
    context : JobContext
    references : int
        How many references there are; with one the class number may be missing.

    Raises
    ------
    FileError
        When a column is missing or holds no number, a class number has no reference, or pixel sizes or
        boxes cannot be used.
    """
    name = spec.io.input_particles_to_be_sorted
    table = read_particles(context.resolve(name))
    if len(table.rows) == 0:
        raise FileError(name, "holds no particles to sort")
    require(table, "rlnImageName")
    ctf_corrected = spec.reference.are_references_ctf_corrected
    if ctf_corrected:
        check_ctf(context, table)
    classes = check_rows(table, references, ctf_corrected)
    pixel_size_a = one_pixel_size(table, name)
    names = table.rows["rlnImageName"].astype(str).tolist()
    check_images(context, table, stack_headers(context, names))
    header = read_header(context.resolve(split_image_name(names[0])[1]))
    if header.nx != header.ny or header.nx % 2:
        raise FileError(name, f"particles of {header.nx} x {header.ny} px; sorting needs square, even boxes")
    return Particles(table, pixel_size_a, header.nx, classes, names)


def check_rows(table: Table, references: int, ctf_corrected: bool) -> npt.NDArray[np.int64]:
    """Check the columns that sorting needs, and return the class number of each row.

    Parameters
    ----------
    table : Table
    references : int
        How many references there are; with one the class number may be missing.
    ctf_corrected : bool
        Whether references are CTF corrected, so that a CTF is required.

    Raises
    ------
    FileError
        When a column is missing or holds no number, or a class number has no reference.
    """
    wanted = ["rlnAnglePsi", *(["rlnClassNumber"] if references > 1 else [])]
    require(table, *wanted, why=", which picks with references have; sort such particles")
    if ctf_corrected:
        wanted += CTF_NEEDED
        require(table, *CTF_NEEDED, why=", and 'Are References CTF corrected?' is Yes")
    _check_numbers(table, [*wanted, "rlnOriginX", "rlnOriginY"])
    if ctf_corrected:
        _check_ctf(table)
    return _classes(table, references)


def _classes(table: Table, references: int) -> npt.NDArray[np.int64]:
    rows = table.rows
    if "rlnClassNumber" not in rows.columns:
        return np.ones(len(rows), dtype=np.int64)
    numbers = rows["rlnClassNumber"].to_numpy(np.float64)
    classes = numbers.astype(np.int64)
    classes[numbers < 0] = MANUAL
    if not (classes > 0).any():
        classes[numbers == 0] = MANUAL  # classes count from 1: no row has a class
    no_reference = (classes < 1) | (classes > references) | (classes != numbers)
    wrong = np.flatnonzero(no_reference & (classes != MANUAL))
    if wrong.size:
        row = int(wrong[0])
        why = "classes count from 1" if numbers[row] == 0 else f"there are {references} references"
        raise FileError(table.path, f"rlnClassNumber of row {row + 1} is {numbers[row]:g}, but {why}")
    return classes


def _check_numbers(table: Table, columns: list[str]) -> None:
    """Refuse values that are not finite: one such row would invalidate all scores."""
    for column in columns:
        values = table.rows.get(column, pd.Series(0.0, index=table.rows.index)).to_numpy(np.float64)
        bad = ~np.isfinite(values)
        if bad.any():
            row = int(bad.argmax())
            raise FileError(table.path, f"{column} of row {row + 1} is {values[row]:g}; remove the row")


def _check_ctf(table: Table) -> None:
    bad = ~usable(ctf_parameters(table.rows)).numpy()
    if bad.any():
        row = int(bad.argmax())
        values = ", ".join(f"{name} {table.rows[name].iloc[row]:g}" for name in CTF_NEEDED[1:])
        raise FileError(
            table.path, f"the CTF columns of row {row + 1} give no finite CTF ({values}); remove the row"
        )


def poses_of(rows: pd.DataFrame, classes: npt.NDArray[np.int64], device: str) -> Poses:
    """Reference, angle and origin of each row; particles picked by hand belong to the first reference."""
    zero = pd.Series(np.zeros(len(rows)), index=rows.index)
    columns = (rows["rlnAnglePsi"], rows.get("rlnOriginY", zero), rows.get("rlnOriginX", zero))
    numbers = [torch.from_numpy(column.to_numpy(np.float64, copy=True)).to(device) for column in columns]
    reference = torch.from_numpy(np.where(classes == MANUAL, 0, classes - 1)).to(device)
    return Poses(reference, *numbers)


def ctf_options(spec: Sort, rows: pd.DataFrame, pixel_size_a: float, device: str) -> CtfOptions | None:
    """CTF of each row, as the spec wants it applied to the references."""
    if not spec.reference.are_references_ctf_corrected:
        return None
    return CtfOptions(ctf_parameters(rows, device), pixel_size_a, spec.reference.ignore_ctfs_until_first_peak)
