"""RELION's own selections on a table: by value, by image statistics, splitting, duplicates."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from cryoflow.compute.select.duplicates import duplicated
from cryoflow.compute.select.image_statistics import moments, ordinary
from cryoflow.errors import CryoflowError, FileError, MachineError
from cryoflow.files.mrc import read_header, read_stack, split_image_name
from cryoflow.files.mrc.read import check_numbered
from cryoflow.files.tables import Table, pixel_size, require, require_finite
from cryoflow.jobs.inputs.pixel_sizes import header_pixel_size
from cryoflow.jobs.inputs.relocated import stacks_of
from cryoflow.jobs.select.conditions import Mask, Source, within
from cryoflow.project.context import Failure, JobContext
from cryoflow.seeds import seed_for
from cryoflow.spec import Select

Floats = npt.NDArray[np.float64]
BATCH_PIXELS = 1 << 23
"""Pixels of images read at a time."""


class Kept(NamedTuple):
    """Rows kept, a description, and failures."""

    keep: Mask
    text: str
    failures: tuple[Failure, ...] = ()
    inputs: tuple[str, ...] = ()
    """Images that were read."""


def by_value(spec: Select, table: Table) -> Kept:
    """Rows with ``minimum <= value <= maximum`` in the chosen column."""
    tab = spec.subsets
    column = tab.metadata_label_for_subset_selection.removeprefix("_")
    source = Source(table.rows, table.path, "rows")
    text, keep = within(source, column, tab.minimum_metadata_value, tab.maximum_metadata_value)
    return Kept(keep, text)


def by_statistics(spec: Select, context: JobContext, table: Table) -> Kept:
    """Rows whose image's mean and standard deviation are like those of the others.

    A row is dropped when either is more than this many standard deviations from its mean over all images.
    Images that cannot be read are failures, and dropped.
    """
    tab = spec.subsets
    column = tab.metadata_label_for_images.removeprefix("_")
    require(table, column)
    context.reads(stacks_of(table.rows[column]))
    mean, sd, failures = _measure(context, table.rows[column].astype(str).tolist())
    read = np.isfinite(mean)
    keep = np.zeros(len(mean), dtype=bool)
    sigma = tab.sigma_value_for_discarding_images
    if read.any():
        usual = [ordinary(torch.from_numpy(values[read]), sigma) for values in (mean, sd)]
        keep[read] = (usual[0] & usual[1]).numpy()
    return Kept(
        keep,
        f"mean and sd of {column} within {sigma:g} sd of the others",
        failures,
        _readable(table, column, failures),
    )


def _readable(table: Table, column: str, failures: tuple[Failure, ...]) -> tuple[str, ...]:
    broken = {failure.item for failure in failures}
    return tuple(name for name in stacks_of(table.rows[column]) if name not in broken)


def _measure(context: JobContext, names: list[str]) -> tuple[Floats, Floats, tuple[Failure, ...]]:
    stacks: dict[str, list[tuple[int, int]]] = {}
    for place, name in enumerate(names):
        index, path = split_image_name(name)
        stacks.setdefault(path, []).append((place, index))
    mean, sd = np.full(len(names), np.nan), np.full(len(names), np.nan)
    failures = []
    for path, wanted in context.report.progress(stacks.items(), "files", len(stacks)):
        try:
            header = read_header(context.project / path)
            if not all("@" in names[place] for place, _ in wanted):
                check_numbered(context.project / path, header)
            step = max(1, BATCH_PIXELS // (header.ny * header.nx))
            for first in range(0, len(wanted), step):
                places, indices = zip(*wanted[first : first + step], strict=True)
                found = moments(torch.from_numpy(read_stack(context.project / path, indices)))
                mean[list(places)], sd[list(places)] = found.mean.numpy(), found.sd.numpy()
        except MachineError:
            raise
        except CryoflowError as error:
            failures.append(Failure(path, str(error)))
    return mean, sd, tuple(failures)


def without_duplicates(spec: Select, context: JobContext, table: Table) -> Kept:
    """Rows without a later particle of the same micrograph within the distance.

    Positions are ``coordinate - origin * (particle pixel / micrograph pixel)``; RELION keeps the last of
    a cluster.
    """
    require(table, "rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY")
    require_finite(table, "rlnCoordinateX", "rlnCoordinateY", "rlnOriginX", "rlnOriginY")
    rows, tab = table.rows, spec.duplicates
    particle = pixel_size(table) if len(rows) else np.zeros(0)
    micrograph = _micrograph_pixels(spec, context, rows, particle)
    y, x = (_positions_a(rows, axis, particle, micrograph) for axis in "YX")
    keep = np.ones(len(rows), dtype=bool)
    for places in rows.groupby("rlnMicrographName", sort=False).indices.values():
        here = torch.from_numpy(np.stack((y[places], x[places])))
        keep[places] = ~duplicated(here[0], here[1], tab.minimum_inter_particle_distance).numpy()
    return Kept(keep, f"no later particle within {tab.minimum_inter_particle_distance:g} A")


def _micrograph_pixels(spec: Select, context: JobContext, rows: pd.DataFrame, particle: Floats) -> Floats:
    """Pixel size of each row's micrograph, in which coordinates are: by spec, table or header."""
    tab = spec.duplicates
    if tab.pixel_size_before_extraction is not None:
        return np.full(len(rows), tab.pixel_size_before_extraction)
    if "rlnMicrographPixelSize" in rows.columns:
        return rows["rlnMicrographPixelSize"].to_numpy(np.float64)
    names = rows["rlnMicrographName"].astype(str)
    found = {name: header_pixel_size(context, name) for name in names.unique()}
    if found and None not in found.values():
        sizes = names.map(found).to_numpy(np.float64)
        context.report.say(
            f"using {sizes[0]:g} A as the micrographs' pixel size, from the header of {names.iloc[0]}"
        )
        return sizes
    if len(rows):
        distance = tab.minimum_inter_particle_distance
        context.report.warn(
            f"using the particles' pixel size, {particle[0]:g} A, for the micrographs, so that {distance:g} "
            f"A are {distance / particle[0]:.4g} px between coordinates; if particles were rescaled, set "
            "'Pixel size before extraction (A)'"
        )
    return particle


def _positions_a(rows: pd.DataFrame, axis: str, particle_a: Floats, micrograph_a: Floats) -> Floats:
    """Positions along one axis in A, origins applied."""
    position: Floats = rows[f"rlnCoordinate{axis}"].to_numpy(np.float64) * micrograph_a
    if f"rlnOrigin{axis}" in rows.columns:
        position = position - rows[f"rlnOrigin{axis}"].to_numpy(np.float64) * particle_a
    return position


def split(spec: Select, context: JobContext, table: Table) -> list[pd.DataFrame]:
    """Consecutive subsets of the rows, shuffled first if requested.

    By size there are as many as it takes; by number they are of equal size but for the last; with both
    there is the given number of that size, and rows may be left over.
    """
    tab, rows = spec.subsets, table.rows
    if len(rows) == 0:
        raise FileError(table.path, "has no rows to split")
    if tab.randomise_order_before_making_subsets:
        rows = rows.iloc[_shuffled(spec.compute.seed, rows)]
    size, number = tab.subset_size, tab.number_of_subsets
    if size is None:
        assert number is not None
        size = ceil(len(rows) / number)
    number = ceil(len(rows) / size) if number is None else number
    empty = number - ceil(len(rows) / size)
    if empty > 0:
        context.report.warn(f"{empty} of {number} subsets are empty: there are only {len(rows)} rows")
    left = len(rows) - size * number
    if left > 0:
        context.report.warn(f"{left} rows are in no subset: {number} subsets of {size} were requested")
    return [rows.iloc[first : first + size] for first in range(0, size * number, size)]


def _shuffled(seed: int, rows: pd.DataFrame) -> npt.NDArray[np.intp]:
    """An order that depends on the seed and the names of the rows, not on the order they are in."""
    column = next(
        name for name in ("rlnImageName", "rlnMicrographName", rows.columns[0]) if name in rows.columns
    )
    keys = [seed_for(seed, "split", str(name)) for name in rows[column]]
    return np.argsort(np.array(keys), kind="stable")
