"""Keys that identify equal rows of two tables: image name, or micrograph and coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.mrc import split_image_name

DECIMALS = 3
"""Decimals to which equal coordinates agree."""
IMAGE = ("rlnImageName",)
PLACE = ("rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY")

Key = tuple[int | float | str, ...]


def row_keys(rows: pd.DataFrame, path: str | PathLike[str], by_image: bool) -> Sequence[Key]:
    """Key of each row.

    Raises
    ------
    FileError
        When a column is missing or coordinates are not numbers.
    """
    columns = IMAGE if by_image else PLACE
    missing = [column for column in columns if column not in rows.columns]
    if missing:
        raise FileError(path, f"lacks the column {missing[0]}, which identifies rows")
    if by_image:
        return [split_image_name(str(name)) for name in rows["rlnImageName"]]
    try:
        x, y = (rows[column].astype(float).round(DECIMALS).tolist() for column in columns[1:])
    except ValueError as error:
        raise FileError(path, f"coordinates are not numbers: {error}") from None
    return list(zip(rows[columns[0]].astype(str), x, y, strict=True))
