"""One micrograph: its coordinates in, its stack and table out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from cryoflow.compute.extract.normalize import background, background_statistics
from cryoflow.compute.extract.particles import ExtractSettings, dust_seeds, extract
from cryoflow.compute.extract.windows import Corners, corners, touching
from cryoflow.compute.image.masks import outside_disc
from cryoflow.compute.parallel import Mapper
from cryoflow.errors import CryoflowError, FileError, MachineError
from cryoflow.files.coordinates import read_coordinates
from cryoflow.files.mrc import map_image, map_stack, read_header, write_stack
from cryoflow.files.read_ahead import read_ahead
from cryoflow.files.tables import Table, read_particles, write_table
from cryoflow.jobs.extract.positions import Source
from cryoflow.jobs.extract.rows import Frame, coordinates, particle_rows
from cryoflow.jobs.inputs.ctf import CTF_NEEDED
from cryoflow.seeds import seed_for

Numbers = npt.NDArray[np.generic]
CHECKED_AT_ONCE = 32
"""Number of images read back at a time."""
SAME_PLACE = 1e-3
"""Coordinates of an earlier run may differ by this many pixels, since written tables round."""


class Task(NamedTuple):
    """What a worker needs to extract the particles of one micrograph."""

    project: Path
    source: Source
    frame: Frame
    listed: str
    """The table that names the micrograph, for messages."""
    table: Path
    """Absolute path of the micrograph's particle table."""
    settings: ExtractSettings
    seed: int
    device: str
    double: bool
    keep: bool
    """Keep an existing stack and table if they match."""
    mode: int = 2
    """Number type of the stack: 2 float32, 12 float16."""

    @property
    def name(self) -> str:
        """The micrograph's name."""
        return str(self.frame.micrograph["rlnMicrographName"])

    @property
    def path(self) -> Path:
        """Path of the micrograph."""
        return self.project / self.name

    @property
    def stack(self) -> Path:
        """Path of the micrograph's stack."""
        return self.project / self.frame.stack

    @property
    def label(self) -> str:
        """For the stack's header: distinguishes stacks made with different settings."""
        return f"cryoflow extract {seed_for(self.seed, repr(self.settings), str(self.double)):016x}"


class Departures(NamedTuple):
    """Largest deviations of the written backgrounds from mean 0 and standard deviation 1."""

    mean: float = 0.0
    sd: float = 0.0


class Done(NamedTuple):
    """Result of one micrograph."""

    name: str
    rows: pd.DataFrame
    outside: int = 0
    """Particles dropped because they are entirely outside."""
    kept: bool = False
    departures: Departures = Departures()
    problem: str = ""
    reach: tuple[float, float] = (0.0, 0.0)
    """Largest x and y of the coordinates, as a share of the micrograph."""
    furthest_px: float = 0.0
    """Largest coordinate."""
    picked: int = 0
    """Number of coordinates."""


def work(task: Task, following: Task | None, spread: Mapper) -> Done:
    """Extract the particles of one micrograph; an error that the user can fix is returned as ``problem``.

    Meanwhile the micrograph of the worker's next task is prefetched.
    """
    try:
        if following:
            fetch(following)
        return _extract(task, spread)
    except MachineError:
        raise
    except CryoflowError as error:
        return Done(task.name, pd.DataFrame(), problem=str(error))


def fetch(task: Task) -> None:
    """Prefetch the task's micrograph, unless it will probably be skipped."""
    if not task.keep:
        read_ahead(task.path)


def _extract(task: Task, spread: Mapper) -> Done:
    picks = task.source if isinstance(task.source, pd.DataFrame) else read_coordinates(task.source)
    if not task.path.exists():
        raise FileError(task.listed, f"names the micrograph {task.name}, which does not exist")
    micrograph = map_image(task.path)
    try:
        y, x = coordinates(picks)
    except CryoflowError as error:
        raise error if isinstance(task.source, pd.DataFrame) else FileError(task.source, str(error)) from None
    _check(task, micrograph.shape)
    begin = corners(torch.from_numpy(y), torch.from_numpy(x), task.settings.size)
    inside = touching(begin, task.settings.size, *micrograph.shape)
    outside = int((~inside).sum())
    rows = particle_rows(picks[inside.numpy()], task.frame)
    h, w = micrograph.shape
    right, up = float(x.max(initial=0.0)), float(y.max(initial=0.0))
    reach, picked = (right / w, up / h), len(picks)
    done = Done(task.name, rows, outside, reach=reach, furthest_px=max(right, up), picked=picked)
    if len(rows) == 0:
        return done
    if task.keep and (earlier := _finished(task, rows)) is not None:
        return done._replace(rows=earlier, kept=True, departures=_departures(task))
    images = _images(task, micrograph, Corners(begin.y[inside], begin.x[inside]), _seeds(task, rows), spread)
    write_stack(task.stack, images, _pixel(task), task.mode, task.label)
    departures = _departures(task)
    write_table(task.table, Table(rows, task.frame.style, task.table, "", task.frame.optics))
    return done._replace(departures=departures)


def _check(task: Task, shape: tuple[int, ...]) -> None:
    """Check that boxes fit and that the CTF is finite, if there is one."""
    if task.settings.size > max(shape):
        size = task.settings.size
        raise FileError(task.path, f"is {shape[1]} x {shape[0]} pixels, smaller than a box of {size}")
    for column in CTF_NEEDED:
        if not np.isfinite(task.frame.micrograph.get(column, 0.0)):
            raise FileError(task.listed, f"{column} of {task.name} is not finite")


def _seeds(task: Task, rows: pd.DataFrame) -> list[int]:
    if task.settings.white is None and task.settings.black is None:
        return [0] * len(rows)
    return dust_seeds(task.seed, task.name, *coordinates(rows))


def _images(
    task: Task, micrograph: Numbers, begin: Corners, seeds: Sequence[int], spread: Mapper
) -> Iterator[Numbers]:
    pixels = torch.from_numpy(micrograph).to(task.device)
    dtype = torch.float64 if task.double else torch.float32
    unfit = 0
    for part in extract(pixels, begin, task.settings, seeds, dtype, spread):
        unfit += int((~part.sum((1, 2)).isfinite()).sum())
        yield part.cpu().numpy().astype(np.float32, copy=False)
    if unfit:
        raise FileError(task.path, f"{unfit} particles contain pixels that are not finite")


def _pixel(task: Task) -> float:
    if task.frame.pixel_size is None:
        return 0.0
    return task.frame.pixel_size * task.frame.size / task.frame.rescaled


def _departures(task: Task) -> Departures:
    """Measure the backgrounds of the stack on disk."""
    if not task.settings.normalize:
        return Departures()
    where = background(outside_disc(task.settings.rescaled, task.settings.radius), torch.float32)
    images = torch.from_numpy(map_stack(task.stack))
    found = [background_statistics(some.float(), where) for some in torch.split(images, CHECKED_AT_ONCE)]
    mean = max(float(some.mean.abs().max()) for some in found)
    return Departures(mean, max(float((some.sd - 1).abs().max()) for some in found))


def _finished(task: Task, rows: pd.DataFrame) -> pd.DataFrame | None:
    """Rows of an earlier run, if its stack and table are whole, of the same particles and settings."""
    if not (task.table.exists() and task.stack.exists()):
        return None
    try:
        header, earlier = read_header(task.stack), read_particles(task.table).rows
        apart = np.abs(np.stack(coordinates(earlier)) - np.stack(coordinates(rows)))
    except (CryoflowError, KeyError, ValueError):  # not written by this job: write it again
        return None
    box = task.settings.rescaled
    same = tuple(header[:4]) == (len(rows), box, box, task.mode) and header.label == task.label
    return rows if same and apart.max() < SAME_PLACE else None
