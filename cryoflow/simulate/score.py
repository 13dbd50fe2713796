"""Agreement of picks and particles with the truth of a simulated project."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

from cryoflow.files.star import Block, read_star

Array = npt.NDArray[np.float64]
Kinds = npt.NDArray[np.int64]

TOLERANCE = 0.35
"""A pick is right within this many particle diameters."""

BACKGROUND, PARTICLE, AGAIN = 0, 1, 9
_XY = ["rlnCoordinateX", "rlnCoordinateY"]


class Truth(NamedTuple):
    """Objects of one micrograph."""

    xy: Array
    """``(n, 2)`` pixels."""
    kinds: Kinds
    """``(n,)``: 1 particle, 2 broken, 3 contaminant."""
    tolerance: float
    """Pixels."""


class Score(NamedTuple):
    """Agreement of a list of picks with the truth."""

    picks: int
    found: int
    """Picks that are a true particle, each particle counted once."""
    true: int
    """True particles."""

    @property
    def precision(self) -> float:
        """Share of the picks that are right; 0 without picks."""
        return self.found / self.picks if self.picks else 0.0

    @property
    def recall(self) -> float:
        """Share of the particles that were found; 0 without particles."""
        return self.found / self.true if self.true else 0.0


def read_truth(project: Path, micrograph: str) -> Truth:
    """Read the truth about one micrograph, e.g. ``Micrographs/mic001.mrc``."""
    parameters = json.loads((project / "truth" / "params.json").read_text())
    table = _loop(read_star(project / "truth" / f"{Path(micrograph).stem}.star").values())
    tolerance = TOLERANCE * parameters["diam"] / parameters["angpix"]
    return Truth(positions(table), table["truthKind"].to_numpy(np.int64), tolerance)


def kinds_of(xy: Array, truth: Truth) -> Kinds:
    """Object under each pick: 0 nothing, 1 particle, 2 broken, 3 contaminant, 9 an object picked before.

    Picks are sorted best first: of two on one object the first counts.
    """
    if not len(xy):
        return np.zeros(0, np.int64)
    gaps, nearest = cKDTree(truth.xy).query(xy)
    near = np.asarray(gaps <= truth.tolerance)
    kinds = np.where(near, truth.kinds[nearest], BACKGROUND)
    _, first = np.unique(np.where(near, nearest, -1), return_index=True)
    again = near.copy()
    again[first] = False
    return np.where(again, AGAIN, kinds)


def score_table(project: Path, table: pd.DataFrame, micrographs: Iterable[str], best: str = "") -> Score:
    """Score picks or particles, rows with rlnMicrographName and coordinates.

    Parameters
    ----------
    project : Path
        A simulated project.
    table : DataFrame
        Rows of any number of micrographs.
    micrographs : iterable of str
        The micrographs whose particles count, found or not.
    best : str
        Column whose high values come first; otherwise the table's order.
    """
    rows = table.sort_values(best, ascending=False, kind="stable") if best else table
    found = true = 0
    for name in micrographs:
        truth = read_truth(project, name)
        picked = rows[rows["rlnMicrographName"] == name]
        found += int((kinds_of(positions(picked), truth) == PARTICLE).sum())
        true += int((truth.kinds == PARTICLE).sum())
    return Score(len(rows), found, true)


def positions(table: pd.DataFrame) -> Array:
    """Return ``(n, 2)`` x and y in pixels of rows with coordinates."""
    return np.column_stack([table[name].to_numpy(float) for name in _XY])


def _loop(blocks: Iterable[Block]) -> pd.DataFrame:
    return next(block for block in blocks if isinstance(block, pd.DataFrame))
