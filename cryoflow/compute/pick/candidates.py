"""Candidates for picks: all local maxima of figure-of-merit maps down to a floor, before any gate.

Picks for every threshold at or above the floor follow from them as from the maps themselves, see
`cryoflow.compute.pick.peaks`.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cryoflow.compute.pick.figure_of_merit import FomMaps, Sampling

COLUMNS = (
    "reference",
    "row",
    "column",
    "fom",
    "psi_deg",
    "sd",
    "mean",
    "lowest_neighbour",
    "row_offset",
    "column_offset",
)
"""Fields of `Candidates` with one value per candidate."""


class Candidates(NamedTuple):
    """Local maxima of one micrograph, best first; ties are ordered by y, x and reference. Each ``(n,)``."""

    reference: Tensor
    """Int64, from 0."""
    row: Tensor
    """Int64, samples."""
    column: Tensor
    fom: Tensor
    """Float32, as all below."""
    psi_deg: Tensor
    sd: Tensor
    """Local sd and mean of the background."""
    mean: Tensor
    lowest_neighbour: Tensor
    """Lowest figure of merit of the four neighbours."""
    row_offset: Tensor
    """From the sample to the top of a parabola through it and its neighbours, samples, -0.5 to 0.5."""
    column_offset: Tensor
    best: float
    """Highest figure of merit away from the edges, nan when there is no such sample."""
    sampling: Sampling
    scale: float = math.nan
    """From `cryoflow.compute.pick.reference_scale.reference_scale`; nan where it is meaningless."""

    def where(self, chosen: Tensor) -> "Candidates":
        """Select candidates by a bool ``(n,)`` or indices."""
        columns = {name: getattr(self, name)[chosen] for name in COLUMNS}
        return self._replace(**columns)


def find_candidates(maps: FomMaps, margin: int, floor: float, references: int | None = None) -> Candidates:
    """Find all local maxima of at least ``floor`` and ``margin`` micrograph pixels from all sides.

    Maps after the first ``references`` belong to decoys and do not count for ``best``.
    """
    fom = maps.fom
    h, w = fom.shape[-2:]
    clear = clear_of_sides(maps.sampling, h, w, margin).to(fom.device)
    edge = torch.nn.functional.pad(fom, (1, 1, 1, 1), value=-torch.inf)
    up, down, left, right = edge[:, :-2, 1:-1], edge[:, 2:, 1:-1], edge[:, 1:-1, :-2], edge[:, 1:-1, 2:]
    peaks = (fom >= floor) & clear
    for neighbour in (up, down, left, right):
        peaks &= neighbour <= fom
    reference, row, column = _best_first(fom, peaks.nonzero())
    place = (reference, row, column)
    around = torch.stack([neighbour[place] for neighbour in (up, down, left, right)])
    inside = fom[:references, clear]
    return Candidates(
        *place,
        fom[place],
        maps.psi_deg[place],
        maps.sd[row, column],
        maps.mean[row, column],
        around.amin(0),
        _parabola_top(around[0], fom[place], around[1]),
        _parabola_top(around[2], fom[place], around[3]),
        float(inside.max()) if inside.numel() else math.nan,
        maps.sampling,
    )


def clear_of_sides(sampling: Sampling, rows: int, columns: int, margin: int) -> Tensor:
    """Samples at least ``margin`` pixels from all sides of the micrograph, bool ``(rows, columns)``.

    Counted as RELION does: length and margin are truncated to whole samples around the centre sample; at
    least one sample is left.
    """
    sides = zip(
        (sampling.height, sampling.width), (sampling.top, sampling.left), (rows, columns), strict=True
    )
    clear = []
    for length, first, count in sides:
        scaled, skipped = (math.floor(n / sampling.spacing + 1e-9) for n in (length, margin))
        centre = round((length // 2 - first) / sampling.spacing)
        number = torch.arange(count) - centre + scaled // 2
        skipped = max(1, skipped)
        clear.append((number >= skipped) & (number <= scaled - 1 - skipped))
    return clear[0][:, None] & clear[1][None, :]


def _best_first(fom: Tensor, where: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sort places ``(n, 3)`` by descending figure of merit, then y, x and reference."""
    reference, row, column = where.unbind(1)
    order = np.lexsort(
        [part.cpu().numpy() for part in (reference, column, row, -fom[reference, row, column])]
    )
    chosen = torch.from_numpy(order).to(where.device)
    return reference[chosen], row[chosen], column[chosen]


def _parabola_top(before: Tensor, peak: Tensor, after: Tensor) -> Tensor:
    """Position of the maximum of a parabola through -1, 0 and 1; 0 for three equal values."""
    bend = before - 2 * peak + after
    return torch.where(bend < 0, (before - after) / (2 * bend), 0)
