"""Picks from figure-of-merit maps, as in AutoPick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

import pandas as pd
import torch

from cryoflow.api.arrays import Array, instance, like
from cryoflow.api.images import Micrograph, References
from cryoflow.api.maps import FomMaps, SearchOptions, fom_maps
from cryoflow.compute.pick import figure_of_merit as compute
from cryoflow.compute.pick import peaks
from cryoflow.errors import ArgumentError
from cryoflow.jobs.autopick.output import pick_table


@dataclass(frozen=True, eq=False)
class Picks:
    """Picks of one micrograph, best first; arrays ``(n,)``.

    Attributes
    ----------
    y, x : array
        Micrograph pixels from the centre of the first pixel, float64.
    reference : array
        Number of the reference from 0; -1 for blobs.
    psi_deg : array
        In-plane angle.
    fom : array
        Figure of merit.
    sd, mean : array
        Local standard deviation and mean of the background.
    micrograph : str
        Its name.
    """

    y: Array
    x: Array
    reference: Array
    psi_deg: Array
    fom: Array
    sd: Array
    mean: Array
    micrograph: str = ""

    def __len__(self) -> int:
        return len(self.x)

    def to_frame(self) -> pd.DataFrame:
        """Return the coordinate table of RELION: ``rlnCoordinateX``, ``rlnCoordinateY`` ..."""
        return pick_table(
            peaks.Picks(*(torch.as_tensor(getattr(self, name)) for name in peaks.Picks._fields))
        )


def find_peaks(
    maps: FomMaps,
    *,
    threshold: float = 0.05,
    min_distance_a: float = 100.0,
    max_sd: float | None = 1.1,
    min_mean: float | None = None,
    subpixel: bool = False,
) -> Picks:
    """Pick the peaks of maps. Defaults are those of AutoPick.

    Parameters
    ----------
    maps : FomMaps
    threshold : float
        Minimum figure of merit.
    min_distance_a : float
        Of picks closer than this, one is kept.
    max_sd, min_mean : float, optional
        Maximum standard deviation and minimum mean of the background; None: no limit.
    subpixel : bool
        Interpolate positions between samples with a parabola.

    Returns
    -------
    Picks
        Sorted by figure of merit; arrays of the same kind as the maps.

    Raises
    ------
    ArgumentError
        If an argument cannot be used.
    """
    instance(maps, FomMaps, "maps")
    if not min_distance_a >= 0:
        raise ArgumentError(f"min_distance_a: {min_distance_a!r}; give 0 or more")
    parts = {name: torch.as_tensor(getattr(maps, name)) for name in compute.FomMaps._fields[:5]}
    thresholds = peaks.Thresholds.of(
        threshold,
        min_distance_a,
        maps.pixel_size_a,
        maps.mask_radius_px,
        maps.box_px,
        max_sd,
        min_mean,
        subpixel,
        maps.figure_of_merit,
    )
    found = peaks.find_peaks(compute.FomMaps(**parts, sampling=maps.sampling), thresholds)
    return picks_like(found, maps.fom, maps.micrograph)


def pick(
    micrograph: Micrograph,
    references: References,
    *,
    threshold: float = 0.05,
    min_distance_a: float = 100.0,
    max_sd: float | None = 1.1,
    min_mean: float | None = None,
    subpixel: bool = False,
    **search: Unpack[SearchOptions],
) -> Picks:
    """Pick particles from a micrograph: `fom_maps`, then `find_peaks`, with the options of both."""
    maps = fom_maps(micrograph, references, **search)
    return find_peaks(
        maps,
        threshold=threshold,
        min_distance_a=min_distance_a,
        max_sd=max_sd,
        min_mean=min_mean,
        subpixel=subpixel,
    )


def picks_like(found: peaks.Picks, given: Array, micrograph: str) -> Picks:
    """Return picks as arrays of the same kind as the input."""
    return Picks(**{name: like(part, given) for name, part in found._asdict().items()}, micrograph=micrograph)
