"""Micrographs with the picks of a job on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.errors import CryoflowError
from cryoflow.files.coordinates import read_coordinate_list, read_coordinates, read_suffix_file
from cryoflow.files.job_paths import stem_below_job
from cryoflow.files.mrc import read_header, read_image
from cryoflow.files.tables import pixel_size, read_micrographs
from cryoflow.files.vocabulary import SAME_SIZE
from cryoflow.view.diameter import particle_diameter_a
from cryoflow.view.legend import Legend, with_legend
from cryoflow.view.pictures import SMOOTHING_A, Circles, micrograph_picture, save

LIST = "coords_suffix_autopick.star"
FOM = "rlnAutopickFigureOfMerit"
_CLIPPED = (5.0, 95.0)
"""Percentiles of a job's figures of merit drawn fully red and fully blue."""
_EXAMPLES = 3
"""Micrographs named where one is not known."""


class PickedMicrograph(NamedTuple):
    """A micrograph of a picking job."""

    name: str
    """Project-relative."""
    coordinates: Path | None
    """None without picks."""
    pixel_a: float | None
    """As the table of micrographs states it."""
    picture: str
    """File to draw, relative to the job directory."""


def read_micrograph_list(directory: Path, project: Path) -> list[PickedMicrograph]:
    """Return the micrographs of a picking job in the order of its input, also those without picks."""
    picked = dict(read_coordinate_list(directory / LIST, project))
    stated = _table_pixels(directory, project)
    names = list(dict.fromkeys([*stated, *picked]))
    pictures = _picture_names(names)
    return [
        PickedMicrograph(name, picked.get(name), stated.get(name), picture)
        for name, picture in zip(names, pictures, strict=True)
    ]


def choose(known: Sequence[PickedMicrograph], wanted: Iterable[str]) -> list[PickedMicrograph]:
    """Find micrographs by name, file name or stem; a name that several share means all of them.

    Raises
    ------
    CryoflowError
        If one is not known.
    """
    found = []
    for given in wanted:
        path = PurePosixPath(given)
        same = [one for one in known if given in _names(one)] or [
            one for one in known if path.name in _names(one)
        ]
        if not same:
            examples = ", ".join(PurePosixPath(one.name).stem for one in known[:_EXAMPLES])
            raise CryoflowError(f"{given}: not among the {len(known)} micrographs, such as {examples}")
        found += same
    return list(dict.fromkeys(found))


def _names(micrograph: PickedMicrograph) -> tuple[str, str, str]:
    path = PurePosixPath(micrograph.name)
    return micrograph.name, path.name, path.stem


def draw_micrographs(
    directory: Path, project: Path, chosen: Sequence[PickedMicrograph], settings: Mapping[str, str]
) -> list[Path]:
    """Draw micrographs with picks as circles of the particle's diameter, coloured by figure of merit.

    The colours span the figures of merit of the whole job, so that micrographs can be compared.
    """
    every = [one.coordinates for one in read_micrograph_list(directory, project) if one.coordinates]
    scale = colour_scale([read_coordinates(path) for path in every])
    diameter_a = particle_diameter_a(settings, project)
    return [_draw_one(directory, project, one, scale, diameter_a) for one in chosen]


def colour_scale(tables: Sequence[pd.DataFrame]) -> tuple[float, float] | None:
    """Return the figures of merit to draw fully red and fully blue; None where there are none."""
    scored = [table[FOM].to_numpy(float) for table in tables if FOM in table.columns and len(table)]
    values = np.concatenate(scored) if scored else np.zeros(0)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    red, blue = map(float, np.percentile(values, _CLIPPED))
    return (red, blue) if red < blue else (blue - 1.0, blue)


def circles_of(table: pd.DataFrame | None, radius_px: float, scale: tuple[float, float] | None) -> Circles:
    """Return the picks of a table as circles."""
    if table is None:
        return Circles(np.zeros((0, 2)), radius_px)
    xy: npt.NDArray[np.float64] = table[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(float)
    if scale is None or FOM not in table.columns:
        return Circles(xy, radius_px)
    red, blue = scale
    return Circles(xy, radius_px, table[FOM].to_numpy(float), blue, red)


def micrograph_pixel_a(micrograph: Path, stated: float | None) -> float:
    """Return the header's pixel size, unless it was never set or the table states another."""
    header = read_header(micrograph).known_pixel_size
    if header is None or (stated is not None and abs(header - stated) > SAME_SIZE * stated):
        return stated or 1.0
    return header


def _draw_one(
    directory: Path,
    project: Path,
    one: PickedMicrograph,
    scale: tuple[float, float] | None,
    diameter_a: float,
) -> Path:
    table = read_coordinates(one.coordinates) if one.coordinates else None
    pixel_a = micrograph_pixel_a(project / one.name, one.pixel_a)
    image = read_image(project / one.name)
    circles = circles_of(table, diameter_a / 2 / pixel_a, scale)
    picture = micrograph_picture(image, circles, resolution=SMOOTHING_A / pixel_a)
    binned = pixel_a * (image.shape[1] // picture.width)
    count = 0 if table is None else len(table)
    shown = scale if circles.values is not None else None
    legend = Legend(PurePosixPath(one.name).name, count, binned, diameter_a, shown)
    return save(with_legend(picture, legend), directory / one.picture)


def _table_pixels(directory: Path, project: Path) -> dict[str, float | None]:
    """Pixel size of each micrograph in A, as the table that was picked from states it."""
    try:
        table = read_micrographs(project / read_suffix_file(directory / LIST))
        names = table.rows["rlnMicrographName"].tolist()
    except (CryoflowError, KeyError):
        return {}
    try:
        return dict(zip(names, pixel_size(table).tolist(), strict=True))
    except CryoflowError:
        return dict.fromkeys(names)


def _picture_names(micrographs: Sequence[str]) -> list[str]:
    """Name the pictures; those of micrographs that share a name go into folders like the micrographs."""
    stems = [PurePosixPath(stem_below_job(name)) for name in micrographs]
    names = Counter(stem.name for stem in stems)
    return [
        f"picks_{stem.name}.png" if names[stem.name] == 1 else f"{stem.parent}/picks_{stem.name}.png"
        for stem in stems
    ]
