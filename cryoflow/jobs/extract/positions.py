"""Where the particles of each micrograph lie: picks, or refined particles."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.coordinates import read_coordinate_list
from cryoflow.files.job_paths import stem_below_job
from cryoflow.files.tables import Table, pixel_size, read_particles, require, require_finite
from cryoflow.jobs.extract import offsets
from cryoflow.project.context import JobContext
from cryoflow.spec import Extract

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
        When nothing fits any micrograph, naming both files, or a needed column is missing.
    """
    names = micrographs.rows["rlnMicrographName"].astype(str).tolist()
    if spec.io.re_extract_refined_particles:
        return _refined(spec, context, micrographs, names, pixels)
    return _picked(spec, context, micrographs.path, names)


def _picked(spec: Extract, context: JobContext, table: Path, names: list[str]) -> Positions:
    given = spec.io.input_coordinates
    assert given is not None
    path = context.resolve(given)
    listed = read_coordinate_list(path, context.project, names)
    files = {stem_below_job(name): file for name, file in listed}
    sources: dict[str, Source] = {
        name: files[stem_below_job(name)] for name in names if stem_below_job(name) in files
    }
    if not sources:
        raise FileError(given, f"has coordinates of none of the micrographs of {context.relative(table)}")
    read = [context.relative(file) for file in sources.values() if isinstance(file, Path)]
    return Positions(sources, (given, *read) if path.is_file() else tuple(read))


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
    by_stem = {stem_below_job(name): name for name in names}
    owner = particles.rows["rlnMicrographName"].astype(str).map(stem_below_job).map(by_stem)
    known = owner.notna().to_numpy()
    if not known.any():
        raise FileError(
            given, f"rlnMicrographName names none of the micrographs of {context.relative(table)}"
        )
    if not known.all():
        lost = int((~known).sum())
        context.report.warn(f"{lost} particles lie on micrographs that {context.relative(table)} lacks")
    owner = owner[known]
    there = particles._replace(rows=particles.rows[known])
    _report_optics(context, given, there.rows, owner, micrographs)
    rows = _moved(spec, there, owner.map(pixels).to_numpy(np.float64))
    groups = {str(name): group.reset_index(drop=True) for name, group in rows.groupby(owner, sort=False)}
    return Positions({name: groups[name] for name in names if name in groups}, (given,))


def _report_optics(
    context: JobContext, given: str, rows: pd.DataFrame, owner: pd.Series, micrographs: Table
) -> None:
    """Warn where particles and their micrographs were not taken at the same microscope settings."""
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
                f"{given}: {column} of {wrong.size} particles is not that of their micrographs in {table} "
                f"({ours[first]:g}, but {owner.iloc[first]} has {theirs[first]:g}); the particles' is kept"
            )


def _moved(spec: Extract, particles: Table, pixels: npt.NDArray[np.float64]) -> pd.DataFrame:
    io = spec.io
    if io.reset_the_refined_offsets_to_zero:
        return offsets.reset(particles.rows)
    ratio = pixel_size(particles) / pixels
    if not io.re_center_refined_coordinates:
        return offsets.to_micrograph_pixels(particles.rows, ratio)
    require(particles, "rlnOriginX", "rlnOriginY")
    point = (io.re_center_on_x_coordinate, io.re_center_on_y_coordinate, io.re_center_on_z_coordinate)
    if any(point):
        require(particles, "rlnAnglePsi", *(("rlnAngleRot", "rlnAngleTilt") if point[2] else ()))
    return offsets.recentre(particles.rows, ratio, point)
