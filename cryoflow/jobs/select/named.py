"""Rows listed in a file: by image, by micrograph, or by micrograph and position."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.atomic import read_bytes
from cryoflow.files.micrograph_names import MicrographNames
from cryoflow.files.mrc import join_image_name, split_image_name
from cryoflow.files.star import as_table, read_star
from cryoflow.jobs.select.conditions import Condition, Source, numbers
from cryoflow.project.context import JobContext
from cryoflow.spec.selection import Selection

NEAR_PX = 1.0
"""A position matches particles within this many micrograph pixels, since other programs round."""
_POSITION = ("rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY")

Image = tuple[int, str]
Place = tuple[str, float, float]


class Names(NamedTuple):
    """Names listed in a file."""

    images: frozenset[Image] = frozenset()
    micrographs: frozenset[str] = frozenset()
    places: tuple[Place, ...] = ()


def named_rows(source: Source, path: Path) -> Condition:
    """Rows that a file names.

    Parameters
    ----------
    source : Source
        Rows with ``rlnImageName``, ``rlnMicrographName``, ``rlnCoordinateX/Y``, as the file needs.
    path : Path
        A STAR file, of whose columns the most specific are used (image, then micrograph with position, then
        micrograph); or a text file with an image, a micrograph, or a micrograph with x and y on each line.
        Empty lines and text after ``#`` are ignored.

    Raises
    ------
    FileError
        When the file cannot be read, or names rows but none of these.
    """
    names = read_names(path)
    keep = np.zeros(len(source.rows), dtype=bool)
    missing = 0
    for found, lost in _find(source, names):
        keep, missing = keep | found, missing + lost
    total = sum(map(len, names))
    if total and missing == total and len(keep):
        theirs, ours = _examples(source, names)
        none = f"lists {total} rows, but none of the {source.unit} of {source.path}"
        raise FileError(path, f"{none}; it has {theirs}, they have {ours}")
    lost_text = f" ({missing} of its {total} names were not found)" if missing else ""
    return Condition(f"listed in {path.name}{lost_text}", keep)


def _examples(source: Source, names: Names) -> tuple[str, str]:
    """One name from each side, for a message."""
    if names.images:
        index, stack = min(names.images)
        return join_image_name(index, stack), str(source.rows["rlnImageName"].iloc[0])
    theirs = min(names.micrographs) if names.micrographs else min(names.places)[0]
    return theirs, str(source.rows["rlnMicrographName"].iloc[0])


def add_named(
    selection: Selection, context: JobContext, conditions: list[Condition], source: Source
) -> tuple[str, ...]:
    """Add the condition of ``rows_in`` where it is given, and return the file's name as an input."""
    if selection.rows_in is None:
        return ()
    conditions.append(named_rows(source, context.resolve(selection.rows_in)))
    return (selection.rows_in,)


def read_names(path: Path) -> Names:
    """Read the names that a STAR or a text file holds; see `named_rows`."""
    return _from_star(path) if path.suffix == ".star" else _from_text(path)


def _from_star(path: Path) -> Names:
    tables = [as_table(block) for block in read_star(path).values()]
    for rows in reversed(tables):  # particles come after their optics groups
        if "rlnImageName" in rows.columns:
            return Names(images=frozenset(split_image_name(str(name)) for name in rows["rlnImageName"]))
        if set(_POSITION) <= set(rows.columns):
            source = Source(rows, path, "rows")
            x, y = (numbers(source, column).tolist() for column in _POSITION[1:])
            return Names(places=tuple(zip(rows[_POSITION[0]].astype(str), x, y, strict=True)))
        if "rlnMicrographName" in rows.columns:
            return Names(micrographs=frozenset(rows["rlnMicrographName"].astype(str)))
    raise FileError(path, "lists no rows: it has neither rlnImageName nor rlnMicrographName")


def _from_text(path: Path) -> Names:
    images, micrographs, places = set(), set(), []
    for number, line in enumerate(read_bytes(path).decode(errors="replace").splitlines(), 1):
        words = line.partition("#")[0].split()
        try:
            if len(words) == 1 and "@" in words[0]:
                images.add(split_image_name(words[0]))
            elif len(words) == 1:
                micrographs.add(words[0])
            elif words:
                name, x, y = words
                places.append((name, float(x), float(y)))
        except (ValueError, CryoflowError):
            text = "is neither an image (000012@stack.mrcs), nor a micrograph, nor a micrograph with x and y"
            raise FileError(path, f"'{line.strip()}' {text}", number) from None
    return Names(frozenset(images), frozenset(micrographs), tuple(places))


Found = tuple[npt.NDArray[np.bool_], int]


def _find(source: Source, names: Names) -> Iterator[Found]:
    if names.images:
        yield _images(source, names.images)
    if names.micrographs:
        yield _micrographs(source, names.micrographs)
    if names.places:
        yield _places(source, names.places)


def _column(source: Source, column: str) -> list[str]:
    if column not in source.rows.columns:
        raise FileError(source.path, f"lacks the column {column}, by which the rows to keep are listed")
    return source.rows[column].astype(str).tolist()


def _images(source: Source, wanted: frozenset[Image]) -> Found:
    have = [split_image_name(name) for name in _column(source, "rlnImageName")]
    return np.array([name in wanted for name in have], dtype=bool), len(wanted.difference(have))


def _micrographs(source: Source, wanted: frozenset[str]) -> Found:
    have = _column(source, "rlnMicrographName")
    meant = _own_names(source, have, wanted)
    keep = np.isin(np.array(have, dtype=object), [name for name in meant.values() if name is not None])
    return keep, sum(name is None for name in meant.values())


def _own_names(source: Source, have: list[str], wanted: Iterable[str]) -> dict[str, str | None]:
    """Names in the rows of the micrographs that a file lists."""
    known = MicrographNames(have)
    try:
        return {name: known.find(name) for name in sorted(set(wanted))}
    except CryoflowError as error:
        raise FileError(source.path, str(error)) from None


def _places(source: Source, wanted: tuple[Place, ...]) -> Found:
    have = np.array(_column(source, "rlnMicrographName"))
    meant = _own_names(source, have.tolist(), (name for name, _, _ in wanted))
    by_micrograph = defaultdict(list)
    for name, x, y in wanted:
        by_micrograph[meant[name] or ""].append((x, y))
    position = np.stack([numbers(source, column) for column in _POSITION[1:]], 1)
    keep, lost = np.zeros(len(have), dtype=bool), 0
    for name, points in by_micrograph.items():
        here = np.flatnonzero(have == name)
        apart = np.abs(position[here][:, None] - np.array(points)).max(-1)  # (rows, points)
        near = apart <= NEAR_PX
        keep[here[near.any(1)]] = True
        lost += int((~near.any(0)).sum())
    return keep, lost
