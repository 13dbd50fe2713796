"""Extraction of particles from micrographs, as in Extract."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cryoflow.api.arrays import Array, as_tensor, instance, like, numpy
from cryoflow.api.images import Micrograph, Particles
from cryoflow.api.picking import Picks
from cryoflow.compute.extract.particles import ExtractSettings, dust_seeds, extract_settings
from cryoflow.compute.extract.particles import extract as compute
from cryoflow.compute.extract.windows import Corners, corners, touching
from cryoflow.errors import ArgumentError, CryoflowError
from cryoflow.files.job_paths import stem_below_job
from cryoflow.jobs.extract.rows import Frame, coordinates, particle_rows


def extract(
    micrograph: Micrograph,
    picks: Picks | pd.DataFrame | Array,
    *,
    box_px: int = 128,
    rescaled_px: int | None = None,
    background_diameter_px: float | None = None,
    normalize: bool = True,
    invert: bool = True,
    white_dust_sd: float | None = None,
    black_dust_sd: float | None = None,
    seed: int = 0,
) -> Particles:
    """Extract particles from a micrograph, rescale, normalise and invert them. Defaults are those of Extract.

    Parameters
    ----------
    micrograph : Micrograph
        Its row, or else its CTF, goes into the rows of the particles.
    picks : Picks, DataFrame or array
        Positions in micrograph pixels from the centre of the first pixel: picks, a table with
        ``rlnCoordinateX`` and ``rlnCoordinateY``, or an array ``(n, 2)`` of y and x.
    box_px : int
        Even box in micrograph pixels; the position, its fraction cut off, becomes pixel ``box_px // 2``.
    rescaled_px : int, optional
        Even box of the result, which shows the same field with larger pixels; by default no rescaling.
    background_diameter_px : float, optional
        Pixels outside this circle are background, in micrograph pixels; by default 75 % of the box.
    normalize : bool
        Subtract a plane, then give the background mean 0 and standard deviation 1.
    invert : bool
        Make dark particles bright.
    white_dust_sd, black_dust_sd : float, optional
        Pixels this many standard deviations from the background are replaced by noise; None: off.
    seed : int
        Of that noise.

    Returns
    -------
    Particles
        Float32 images (float64 for a micrograph of double precision) of the micrograph's kind. Particles
        entirely outside the micrograph are dropped; pixels outside it repeat the nearest pixel inside.

    Raises
    ------
    ArgumentError
        If an argument cannot be used.
    CryoflowError
        If particles contain pixels that are not finite.
    """
    instance(micrograph, Micrograph, "micrograph")
    size, settings = _settings(
        box_px, rescaled_px, background_diameter_px, normalize, invert, white_dust_sd, black_dust_sd
    )
    pixels = as_tensor(micrograph.pixels, micrograph.label, "h w", finite=False)
    if size > max(pixels.shape):
        raise ArgumentError(f"box_px: {size} pixels exceed the {micrograph.label}")
    table = _table(picks)
    y, x = coordinates(table)
    begin = corners(torch.from_numpy(y), torch.from_numpy(x), size)
    inside = touching(begin, size, *pixels.shape)
    rows = particle_rows(table[inside.numpy()].reset_index(drop=True), _frame(micrograph, settings))
    seeds = dust_seeds(seed, micrograph.name, *coordinates(rows))
    parts = compute(pixels, Corners(begin.y[inside], begin.x[inside]), settings, seeds, pixels.dtype)
    return _particles(list(parts), pixels, micrograph, settings, rows)


def _particles(
    parts: list[Tensor], pixels: Tensor, micrograph: Micrograph, settings: ExtractSettings, rows: pd.DataFrame
) -> Particles:
    box = settings.rescaled
    images = torch.cat(parts) if parts else pixels.new_empty(0, box, box)
    unfit = int((~images.sum((1, 2)).isfinite()).sum())
    if unfit:
        raise CryoflowError(f"{micrograph.label}: {unfit} particles contain pixels that are not finite")
    size = micrograph.pixel_size_a * settings.size / box
    return Particles(like(images, micrograph.pixels), size, rows)


def _settings(box_px: int, rescaled_px: int | None, *options: Any) -> tuple[int, ExtractSettings]:
    for name, value in (("box_px", box_px), ("rescaled_px", rescaled_px)):
        whole = isinstance(value, int | np.integer) or value is None
        if not whole or (value is not None and (value < 2 or value % 2)):
            raise ArgumentError(f"{name}: {value!r}; give an even number of pixels")
    try:
        return int(box_px), extract_settings(int(box_px), rescaled_px, *options)
    except CryoflowError as error:
        raise ArgumentError(f"background_diameter_px: {error}") from None


def _table(picks: Picks | pd.DataFrame | Array) -> pd.DataFrame:
    if isinstance(picks, Picks):
        return picks.to_frame()
    if isinstance(picks, pd.DataFrame):
        missing = [name for name in ("rlnCoordinateX", "rlnCoordinateY") if name not in picks.columns]
        if missing:
            raise ArgumentError(f"picks: no column {', '.join(missing)}")
        return picks.reset_index(drop=True)
    places = numpy(as_tensor(picks, "picks", "n 2", dtype=torch.float64))
    if places.shape[1] != 2:
        raise ArgumentError(f"picks: shape {places.shape}; expected (n, 2), y and x")
    return pd.DataFrame({"rlnCoordinateX": places[:, 1], "rlnCoordinateY": places[:, 0]})


def _frame(micrograph: Micrograph, settings: ExtractSettings) -> Frame:
    ctf = {} if micrograph.ctf is None or micrograph.row else micrograph.ctf.to_row()
    name = micrograph.name or "micrograph.mrc"
    row = {**ctf, **micrograph.row, "rlnMicrographName": name}
    stack = str(PurePosixPath(stem_below_job(name)).with_suffix(".mrcs"))
    return Frame(row, stack, micrograph.pixel_size_a, settings.size, settings.rescaled, False, ())
