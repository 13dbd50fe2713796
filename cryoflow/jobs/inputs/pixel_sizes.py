"""The pixel size of micrographs, by one rule for every job: the spec, the table, the files' headers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cryoflow.errors import FileError
from cryoflow.files.mrc import read_header
from cryoflow.files.tables import Table, pixel_size, states_pixel_size
from cryoflow.files.vocabulary import SAME_SIZE
from cryoflow.project.context import JobContext

PLAUSIBLE_A = (0.2, 20.0)
"""Usual pixel sizes of electron micrographs; others cause a warning."""
MOST_HEADERS = 100
"""Maximum number of headers compared with a table."""


class PixelSizes(NamedTuple):
    """Pixel sizes of micrographs, and their source."""

    values: tuple[float, ...]
    """A, in the order of the table."""
    source: str
    """``the spec``, the table's name, or ``the header of`` a micrograph."""


def micrograph_pixel_sizes(
    context: JobContext, table: Table, given: float | None, field: str
) -> PixelSizes | None:
    """Resolve the pixel size of each micrograph; None where nothing states it.

    What the spec gives is used, else what the table states, else each micrograph's header; a header's 0 or
    1 A means "not set". Contradicting sources cause a warning.

    Parameters
    ----------
    context : JobContext
    table : Table
        With ``rlnMicrographName``.
    given : float, optional
        The spec's.
    field : str
        What the spec calls it, for messages.

    Raises
    ------
    FileError
        When the table's values are implausible or contradict each other.
    """
    name, number = context.relative(table.path), len(table.rows)
    if given is not None:
        if states_pixel_size(table.rows):
            _warn_of_table(context, name, pixel_size(table).tolist(), given)
        return PixelSizes((given,) * number, "the spec")
    names = table.rows["rlnMicrographName"].astype(str).tolist()
    if not states_pixel_size(table.rows):
        return _from_headers(context, names)
    sizes = tuple(float(size) for size in pixel_size(table))
    _warn_of_headers(context, name, dict(zip(names, sizes, strict=True)), field)
    _warn_of_unit(context, name, sizes)
    return PixelSizes(sizes, name)


def header_pixel_size(context: JobContext, micrograph: str) -> float | None:
    """Pixel size in a micrograph's header, A; None if it cannot be read or is not set."""
    try:
        return read_header(context.resolve(micrograph)).known_pixel_size
    except FileError:
        return None


def _from_headers(context: JobContext, names: list[str]) -> PixelSizes | None:
    found = [header_pixel_size(context, name) for name in names]
    first = next((place for place, size in enumerate(found) if size is not None), None)
    if first is None:
        return None
    size = found[first]
    assert size is not None
    context.report.warn(
        f"using the pixel size {size:g} A from the header of {names[first]}: the table has none"
    )
    return PixelSizes(tuple(own or size for own in found), f"the header of {names[first]}")


def _warn_of_table(context: JobContext, name: str, sizes: list[float], given: float) -> None:
    wrong = next((size for size in sizes if abs(size - given) > SAME_SIZE * given), None)
    if wrong is not None:
        context.report.warn(
            f"using {given:g} A as the micrographs' pixel size, from the spec, although {name} says "
            f"{wrong:g} A"
        )


def _warn_of_headers(context: JobContext, table: str, sizes: dict[str, float], field: str) -> None:
    names = list(sizes)
    places = np.unique(np.linspace(0, len(names) - 1, min(len(names), MOST_HEADERS)).astype(int))
    headers = {name: header_pixel_size(context, name) for name in (names[place] for place in places)}
    wrong = {
        name: header
        for name, header in headers.items()
        if header is not None and abs(header - sizes[name]) > SAME_SIZE * sizes[name]
    }
    if wrong:
        name, header = next(iter(wrong.items()))
        others = f" (and of {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        context.report.warn(
            f"using the pixel size {sizes[name]:g} A from {table}, although the header of {name}{others} "
            f"says {header:g} A; set '{field}'"
        )


def _warn_of_unit(context: JobContext, table: str, sizes: tuple[float, ...]) -> None:
    least, most = PLAUSIBLE_A
    wrong = next((size for size in sizes if not least <= size <= most), None)
    if wrong is not None:
        context.report.warn(f"{table} says {wrong:g} A per pixel, unlikely for micrographs; is it in A?")
