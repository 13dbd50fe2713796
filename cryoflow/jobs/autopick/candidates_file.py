"""Candidates on disk: new thresholds, distances and noise gates need no maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from cryoflow.compute.pick.candidates import COLUMNS, Candidates
from cryoflow.compute.pick.figure_of_merit import Sampling
from cryoflow.errors import FileError
from cryoflow.files.arrays import StoredArrays, read_arrays, write_arrays

_WHOLE = ("reference", "row", "column")


def write_candidates(path: Path, candidates: Candidates, made_from: dict[str, Any], floor: float) -> None:
    """Write candidates, their settings and their floor."""
    arrays = {}
    for name in COLUMNS:
        values = getattr(candidates, name).cpu().numpy()
        arrays[name] = values.astype("<i4" if name in _WHOLE else "<f4")
    about = {
        "made_from": made_from,
        "floor": floor,
        "best": candidates.best,
        "scale": candidates.scale,
        "sampling": candidates.sampling._asdict(),
    }
    write_arrays(path, StoredArrays(arrays, about))


def read_candidates(path: Path, made_from: dict[str, Any], floor: float) -> Candidates | None:
    """Read candidates; None if there are none with these settings down to the floor."""
    if not path.exists():
        return None
    try:
        arrays, about = read_arrays(path)
        if about["made_from"] != made_from or about["floor"] > floor:
            return None
        columns: dict[str, Any] = {name: torch.from_numpy(arrays[name]) for name in COLUMNS}
        if {column.shape for column in columns.values()} != {(len(columns[COLUMNS[0]]),)}:
            return None
        columns |= {name: columns[name].long() for name in _WHOLE}
        sampling = Sampling(**about["sampling"])
        return Candidates(**columns, best=about["best"], sampling=sampling, scale=about["scale"])
    except (FileError, KeyError, TypeError, ValueError):  # only a cache: damaged files are recomputed
        return None
