"""Positions of the particles of each micrograph: picks, or refined particles."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.coordinates import (
    missing_coordinates,
    read_coordinate_list,
    read_coordinate_table,
    table_of_suffix_file,
)
from cryoflow.files.micrograph_names import MicrographNames
from cryoflow.files.tables import Table, pixel_size, read_particles, require, require_finite
from cryoflow.jobs.extract import offsets
from cryoflow.project.context import JobContext
from cryoflow.spec import Extract

_OFFSETS = ("rlnOriginX", "rlnOriginY", "rlnOriginZ")
_MOVES = ("rlnOriginX", "rlnOriginY", "rlnOriginZ", "rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
_OPTICS = ("rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast")

Source = Path | pd.DataFrame
"""A coordinate file to be read, or the rows themselves."""


class Positions(NamedTuple):
    """Coordinates by micrograph name, and the files that they come from."""

    sources: dict[str, Source]
    inputs: tuple[str, ...]


def find_positions(
    spec: Extract, context: JobContext, micrographs: Table, pixels: dict[str, float | None]
) -> Positions:
    """Find the coordinates of every micrograph that has any.

    Parameters
    ----------
    spec : Extract
    context : JobContext
    micrographs : Table
        With ``rlnMicrographName``.
    pixels : dict
        Pixel size in A by micrograph name; needed for refined particles only.

    Raises
    ------
    FileError
        When no coordinates match any micrograph, naming both files, or a needed column is missing.
    """
    names = micrographs.rows["rlnMicrographName"].astype(str).tolist()
    if spec.io.re_extract_refined_particles:
        return _refined(spec, context, micrographs, names, pixels)
    return _picked(spec, context, micrographs.path, names)


def _picked(spec: Extract, context: JobContext, table: Path, names: list[str]) -> Positions:
    given = spec.io.input_coordinates
    assert given is not None
    path = context.resolve(given)
    rows = read_coordinate_table(path)
    if rows is not None:
        return Positions(_rows_of(context, given, rows, names, table), (given,))
    known, sources = MicrographNames(names), dict[str, Source]()
    context.reads(table_of_suffix_file(path))
    listed = read_coordinate_list(path, context.project, names)
    missing = missing_coordinates(path, context.project)
    context.reads(context.relative(file) for name, file in missing if _find(known, given, name) is not None)
    for name, file in listed:
        owner = _find(known, given, name)
        if owner is not None and sources.setdefault(owner, file) != file:
            raise FileError(given, f"has two files for {owner}: {sources[owner]} and {file}; remove one")
    if not sources:
        theirs = f"; it has those of {listed[0][0]}" if listed else ""
        named = f"such as {names[0]}"
        table_name = context.relative(table)
        raise FileError(given, f"has no coordinates for the micrographs of {table_name}, {named}{theirs}")
    sources = {name: sources[name] for name in names if name in sources}
    read = [*table_of_suffix_file(path)]
    read += [context.relative(file) for file in sources.values() if isinstance(file, Path)]
    return Positions(sources, (given, *read) if path.is_file() else tuple(read))


def _find(known: MicrographNames, given: str, name: str) -> str | None:
    try:
        return known.find(name)
    except CryoflowError as error:
        raise FileError(given, str(error)) from None


def _rows_of(
    context: JobContext, given: str, rows: pd.DataFrame, names: list[str], table: Path
) -> dict[str, Source]:
    """Split the rows of a table of coordinates by micrograph."""
    owner = _owners(context, given, rows, names, table)
    known = owner.notna().to_numpy()
    there = rows[known].drop(columns="rlnMicrographName")
    groups = {
        str(name): group.reset_index(drop=True) for name, group in there.groupby(owner[known], sort=False)
    }
    return {name: groups[name] for name in names if name in groups}


def _owners(context: JobContext, given: str, rows: pd.DataFrame, names: list[str], table: Path) -> pd.Series:
    """The micrograph of each row, as named in the table of micrographs; none if it is not there."""
    theirs = rows["rlnMicrographName"].astype(str)
    known, micrographs = MicrographNames(names), context.relative(table)
    owner = theirs.map({name: _find(known, given, name) for name in theirs.unique()})
    lost = int(owner.isna().sum())
    if lost == len(rows):
        pair = f"it has {theirs.iloc[0]}, they have {names[0]}" if lost else "it has no rows"
        raise FileError(given, f"rlnMicrographName matches none of the micrographs of {micrographs}; {pair}")
    if lost:
        context.report.warn(f"{lost} particles are on micrographs that are not in {micrographs}")
    return owner


def _refined(
    spec: Extract, context: JobContext, micrographs: Table, names: list[str], pixels: dict[str, float | None]
) -> Positions:
    given, table = spec.io.refined_particles_star_file, micrographs.path
    assert given is not None
    particles = read_particles(context.resolve(given))
    joins = f", which joins its particles to the micrographs of {context.relative(table)}"
    require(particles, "rlnMicrographName", why=joins)
    require(particles, "rlnCoordinateX", "rlnCoordinateY")
    require_finite(particles, *_MOVES)
    if len(particles.rows) == 0:
        raise FileError(given, "holds no particles to extract again")
    owner = _owners(context, given, particles.rows, names, table)
    known = owner.notna().to_numpy()
    owner = owner[known]
    there = particles._replace(rows=particles.rows[known])
    _report_optics(context, given, there.rows, owner, micrographs)
    rows = _moved(spec, there, owner.map(pixels).to_numpy(np.float64))
    groups = {str(name): group.reset_index(drop=True) for name, group in rows.groupby(owner, sort=False)}
    return Positions({name: groups[name] for name in names if name in groups}, (given,))


def _report_optics(
    context: JobContext, given: str, rows: pd.DataFrame, owner: pd.Series, micrographs: Table
) -> None:
    """Warn if particles and their micrographs differ in microscope settings."""
    table = context.relative(micrographs.path)
    for column in _OPTICS:
        if column not in rows.columns or column not in micrographs.rows.columns:
            continue
        known = dict(
            zip(micrographs.rows["rlnMicrographName"].astype(str), micrographs.rows[column], strict=True)
        )
        ours, theirs = rows[column].to_numpy(np.float64), owner.map(known).to_numpy(np.float64)
        wrong = np.flatnonzero(~np.isclose(ours, theirs, rtol=1e-4))
        if wrong.size:
            first = int(wrong[0])
            context.report.warn(
                f"{given}: {column} of {wrong.size} particles differs from that of their micrographs in "
                f"{table} ({ours[first]:g}, but {owner.iloc[first]} has {theirs[first]:g}); "
                "the particles' value is kept"
            )


def _moved(spec: Extract, particles: Table, pixels: npt.NDArray[np.float64]) -> pd.DataFrame:
    io = spec.io
    if io.reset_the_refined_offsets_to_zero:
        return offsets.reset(particles.rows)
    point = (io.re_center_on_x_coordinate, io.re_center_on_y_coordinate, io.re_center_on_z_coordinate)
    if not any(point) and not any(particles.rows[name].any() for name in _OFFSETS if name in particles.rows):
        return particles.rows  # nothing to scale: no pixel size is needed
    ratio = pixel_size(particles) / pixels
    if not io.re_center_refined_coordinates:
        return offsets.to_micrograph_pixels(particles.rows, ratio)
    require(particles, "rlnOriginX", "rlnOriginY")
    if any(point):
        require(particles, "rlnAnglePsi", *(("rlnAngleRot", "rlnAngleTilt") if point[2] else ()))
    return offsets.recentre(particles.rows, ratio, point)
