"""Differences between two files, with amounts: STAR numbers, MRC pixels, or bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from cryoflow.errors import CryoflowError
from cryoflow.files.mrc import read_header, read_stack
from cryoflow.files.star import Block, read_star

#: Largest difference at which numbers agree, relative to the largest value of the column or image.
TOLERANCE = 1e-4

_AT_ONCE = 64
_IMAGES, _TABLES = {".mrc", ".mrcs", ".map"}, {".star"}

Verdict = Literal["identical", "close", "different"]
VERDICTS: tuple[Verdict, ...] = ("identical", "close", "different")


class Comparison(NamedTuple):
    """Result of comparing two files.

    Attributes
    ----------
    verdict : str
        ``identical``: the same bytes, or the same except for the name of the job; ``close``: numbers within
        the tolerance, everything else the same; ``different``.
    detail : str
        What differs and by how much; empty for the same bytes.
    """

    verdict: Verdict
    detail: str = ""


def compare_files(
    old: Path, new: Path, names: tuple[str, str] = ("", ""), tolerance: float = TOLERANCE
) -> Comparison:
    """Compare two files.

    Parameters
    ----------
    old, new : Path
        The files.
    names : tuple of str
        Names of their jobs, e.g. ``Sort/job013`` and ``Sort/job020``: tables name files of their own job.
    tolerance : float
        See `TOLERANCE`.
    """
    for path, which in ((old, "old"), (new, "new")):
        if not path.is_file():
            return Comparison("different", f"the {which} file is missing")
    if _same_bytes(old, new):
        return Comparison("identical")
    try:
        if old.suffix in _TABLES:
            if _renamed(new, names) == old.read_bytes():
                return Comparison("identical", "except for the job's own name")
            return _compare_tables(read_star(old), _named_alike(read_star(new), names), tolerance)
        if old.suffix in _IMAGES:
            return _compare_images(old, new, tolerance)
    except CryoflowError as error:
        return Comparison("different", f"bytes differ; {error}")
    return Comparison("different", f"bytes differ ({old.stat().st_size} and {new.stat().st_size})")


def _same_bytes(old: Path, new: Path) -> bool:
    if old.stat().st_size != new.stat().st_size:
        return False
    with old.open("rb") as one, new.open("rb") as other:
        while chunk := one.read(1 << 20):
            if chunk != other.read(1 << 20):
                return False
    return True


def _renamed(new: Path, names: tuple[str, str]) -> bytes:
    old_name, new_name = (f"{name}/".encode() for name in names)
    return new.read_bytes().replace(new_name, old_name)


def _named_alike(blocks: dict[str, Block], names: tuple[str, str]) -> dict[str, Block]:
    old_name, new_name = (f"{name}/" for name in names)

    def alike(value: Any) -> Any:
        return value.replace(new_name, old_name) if isinstance(value, str) else value

    return {
        key: block.map(alike) if isinstance(block, pd.DataFrame) else {k: alike(v) for k, v in block.items()}
        for key, block in blocks.items()
    }


def _compare_tables(old: dict[str, Block], new: dict[str, Block], tolerance: float) -> Comparison:
    if list(old) != list(new):
        return Comparison("different", f"blocks {', '.join(old)} and {', '.join(new)}")
    lines: list[str] = []
    close = True
    for name in old:
        one, other = (pd.DataFrame([b]) if isinstance(b, dict) else b for b in (old[name], new[name]))
        if len(one) != len(other):
            return Comparison("different", f"data_{name}: {len(one)} and {len(other)} rows")
        if list(one.columns) != list(other.columns):
            odd = sorted(set(one.columns) ^ set(other.columns))
            return Comparison("different", f"data_{name}: columns differ ({', '.join(odd) or 'order'})")
        for column in one.columns:
            line, near = _compare_columns(one[column], other[column], tolerance)
            lines += [f"{column} {line}"] if line else []
            close = close and near
    return Comparison("close" if close else "different", "; ".join(lines) or "only the formatting differs")


def _compare_columns(old: pd.Series, new: pd.Series, tolerance: float) -> tuple[str, bool]:
    if not (pd.api.types.is_numeric_dtype(old.dtype) and pd.api.types.is_numeric_dtype(new.dtype)):
        count = int((old.astype(str).to_numpy() != new.astype(str).to_numpy()).sum())
        return (f"differs in {count} of {len(old)} rows" if count else ""), not count
    one, other = old.to_numpy(float), new.to_numpy(float)
    gaps = np.where(np.isnan(one) & np.isnan(other), 0, np.abs(one - other))
    largest = float(np.max(gaps, initial=0))
    if largest == 0:
        return "", True
    count = int((gaps != 0).sum())
    scale = float(np.nanmax(np.abs(one), initial=0))
    return f"differs by up to {largest:.3g} in {count} of {len(one)} rows", largest <= tolerance * scale


def _compare_images(old: Path, new: Path, tolerance: float) -> Comparison:
    one, other = read_header(old), read_header(new)
    if one[:3] != other[:3]:
        return Comparison("different", f"{_size(one)} and {_size(other)}")
    largest = scale = squares = 0.0
    for first in range(0, one.nz, _AT_ONCE):
        some = range(first, min(first + _AT_ONCE, one.nz))
        a, b = (read_stack(path, some).astype(np.float64) for path in (old, new))
        largest = max(largest, float(np.max(np.abs(a - b), initial=0)))
        scale = max(scale, float(np.max(np.abs(a), initial=0)))
        squares += float(((a - b) ** 2).sum())
    if largest == 0:
        return Comparison("close", "only the header differs")
    rms = (squares / (one.nz * one.ny * one.nx)) ** 0.5
    detail = f"pixels differ by up to {largest:.3g}, {rms:.3g} rms; the largest value is {scale:.3g}"
    return Comparison("close" if largest <= tolerance * scale else "different", detail)


def _size(header: Any) -> str:
    return f"{header.nx} x {header.ny} x {header.nz} pixels"
