"""One micrograph: its coordinates in, its stack and table out."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from cryoflow.compute.extract import ExtractSettings, extract
from cryoflow.compute.normalize import background_mask, background_statistics
from cryoflow.compute.threads import Mapper
from cryoflow.compute.windows import corners, touching
from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.coordinates import read_coordinates
from cryoflow.files.mrc import read_header, read_image, read_stack, write_mrc
from cryoflow.files.seeds import seed_for
from cryoflow.files.tables import Table, read_particles, write_table
from cryoflow.jobs.extract.positions import Source
from cryoflow.jobs.extract.rows import Frame, coordinates, particle_rows

Floats = npt.NDArray[np.float64]
CHECKED_AT_ONCE = 128
"""Images read back at a time."""
SAME_PLACE = 1e-3
"""Coordinates of an earlier run may differ by so many pixels, as written tables round."""


class Task(NamedTuple):
    """What a worker needs to extract the particles of one micrograph."""

    project: Path
    source: Source
    frame: Frame
    listed: str
    """The table that names the micrograph, for messages."""
    table: Path
    """Where the micrograph's own particle table goes, absolute."""
    settings: ExtractSettings
    seed: int
    device: str
    double: bool
    keep: bool
    """Take over a stack and a table that are there already and fit."""
    mode: int = 2
    """Number type of the stack: 2 float32, 12 float16."""

    @property
    def name(self) -> str:
        """The micrograph's name."""
        return str(self.frame.micrograph["rlnMicrographName"])

    @property
    def label(self) -> str:
        """For the stack's header: tells stacks apart that were made with other settings."""
        return f"cryoflow extract {seed_for(self.seed, repr(self.settings), str(self.double)):016x}"


class Background(NamedTuple):
    """Largest departures of the written backgrounds from mean 0 and standard deviation 1."""

    mean: float = 0.0
    sd: float = 0.0


class Done(NamedTuple):
    """What became of one micrograph."""

    name: str
    rows: pd.DataFrame
    outside: int = 0
    """Particles dropped because they lie wholly outside."""
    kept: bool = False
    background: Background = Background()
    problem: str = ""


def work(task: Task, spread: Mapper) -> Done:
    """Extract the particles of one micrograph; what the user can mend comes back as ``problem``."""
    try:
        return _extract(task, spread)
    except CryoflowError as error:
        return Done(task.name, pd.DataFrame(), problem=str(error))


def _extract(task: Task, spread: Mapper) -> Done:
    picks = task.source if isinstance(task.source, pd.DataFrame) else read_coordinates(task.source)
    path = task.project / task.name
    if not path.exists():
        raise FileError(task.listed, f"names the micrograph {task.name}, which is not there")
    header = read_header(path)
    try:
        y, x = coordinates(picks)
    except CryoflowError as error:
        raise error if isinstance(task.source, pd.DataFrame) else FileError(task.source, str(error)) from None
    begin = corners(torch.from_numpy(y), torch.from_numpy(x), task.settings.size)
    inside = touching(begin, task.settings.size, header.ny, header.nx)
    outside = int((~inside).sum())
    rows = particle_rows(picks[inside.numpy()], task.frame)
    if len(rows) == 0:
        return Done(task.name, rows, outside)
    if task.keep and (earlier := _finished(task, rows)) is not None:
        return Done(task.name, earlier, outside, kept=True, background=_background(task, spread))
    here = inside.numpy()
    images = _images(task, path, y[here], x[here], spread)
    write_mrc(_stack(task), images, _pixel(task), task.mode, task.label)
    background = _background(task, spread)
    write_table(task.table, Table(rows, task.frame.style, task.table, "", task.frame.optics))
    return Done(task.name, rows, outside, background=background)


def _stack(task: Task) -> Path:
    return task.project / task.frame.stack


def _images(task: Task, path: Path, y: Floats, x: Floats, spread: Mapper) -> npt.NDArray[np.float32]:
    dtype = torch.float64 if task.double else torch.float32
    micrograph = torch.from_numpy(read_image(path)).to(task.device, dtype)
    rows, columns = (torch.from_numpy(values).to(task.device) for values in (y, x))
    dusty = task.settings.white is not None or task.settings.black is not None
    seeds = [
        seed_for(task.seed, task.name, f"{row:.2f} {column:.2f}") if dusty else 0
        for row, column in zip(y.tolist(), x.tolist(), strict=True)
    ]
    begin = corners(rows, columns, task.settings.size)
    images = extract(micrograph, begin, task.settings, seeds, spread=spread)
    unfit = int((~images.isfinite().flatten(1).all(1)).sum())
    if unfit:
        raise FileError(path, f"{unfit} particles cover pixels that are not finite numbers")
    return images.cpu().numpy().astype(np.float32, copy=False)


def _pixel(task: Task) -> float:
    if task.frame.pixel_size is None:
        return 0.0
    return task.frame.pixel_size * task.frame.size / task.frame.rescaled


def _background(task: Task, spread: Mapper) -> Background:
    """Read the stack back and measure its backgrounds."""
    if not task.settings.normalize:
        return Background()
    number = read_header(_stack(task)).nz
    mask = background_mask(task.settings.rescaled, task.settings.radius)

    def departures(first: int) -> Background:
        indices = range(first, min(first + CHECKED_AT_ONCE, number))
        found = background_statistics(torch.from_numpy(read_stack(_stack(task), indices)), mask)
        return Background(float(found.mean.abs().max()), float((found.sd - 1).abs().max()))

    worst = list(spread(departures, range(0, number, CHECKED_AT_ONCE)))
    return Background(max(one.mean for one in worst), max(one.sd for one in worst))


def _finished(task: Task, rows: pd.DataFrame) -> pd.DataFrame | None:
    """Rows of an earlier run, if its stack and table are whole, of the same particles and settings."""
    if not (task.table.exists() and _stack(task).exists()):
        return None
    try:
        header, earlier = read_header(_stack(task)), read_particles(task.table).rows
        apart = np.abs(np.stack(coordinates(earlier)) - np.stack(coordinates(rows)))
    except (CryoflowError, KeyError, ValueError):  # not what this job writes: make it anew
        return None
    box = task.settings.rescaled
    same = tuple(header[:4]) == (len(rows), box, box, task.mode) and header.label == task.label
    return rows if same and apart.max() < SAME_PLACE else None
