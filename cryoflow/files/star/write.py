"""Writing STAR files as RELION does, the same bytes for the same values."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.atomic import write_bytes
from cryoflow.files.star.format import cell, cells, float_column
from cryoflow.files.star.types import Block, Scalar, StarStyle

_TAGS = {"3.0": "\n", "3.1": "\n# version 30001\n\n"}


def write_star(path: str | PathLike[str], blocks: Mapping[str, Block], style: StarStyle = "3.0") -> None:
    """Write blocks to a STAR file atomically.

    Numbers are formatted as in RELION, with six decimals (``%12.6f``) or, where these would lose digits,
    in scientific notation. Values with up to 12 significant digits are kept exactly, others to about 7. No
    time stamp: the same blocks give the same bytes.

    Parameters
    ----------
    path : path-like
    blocks : mapping of str to DataFrame or dict
        By block name without ``data_``; column names without the leading underscore.
    style : {"3.0", "3.1"}
        "3.1" puts ``# version 30001`` before each block.

    Raises
    ------
    FileError
        When a name or value cannot be written in a STAR file, or the file cannot be written.
    """
    try:
        content = "".join(_TAGS[style] + _block(name, block) for name, block in blocks.items())
    except ValueError as error:
        raise FileError(path, f"cannot be written: {error}") from error
    write_bytes(path, content.encode("utf-8", "surrogateescape"))


def _block(name: str, block: Block) -> str:
    if "/" in name:
        raise ValueError(f"{name!r} cannot be the name of a block")
    head = f"data_{_name(name)}\n\n" if name else "data_\n\n"
    return head + (_simple(block) if isinstance(block, dict) else _loop(block)) + " \n"


def _simple(block: Mapping[str, Scalar]) -> str:
    return "".join(f"_{_name(key):<45} {cell(value).strip()}\n" for key, value in block.items())


def _loop(table: pd.DataFrame) -> str:
    labels = [_name(str(label)) for label in table.columns]
    if not labels:
        raise ValueError("a table without columns")
    if len(set(labels)) < len(labels):
        raise ValueError(f"the column {next(x for x in labels if labels.count(x) > 1)} appears twice")
    head = "".join(f"_{label} #{index} \n" for index, label in enumerate(labels, 1))
    formats, columns = zip(*(_column(values) for _, values in table.items()), strict=True)
    row = " ".join(formats) + " \n"
    return "loop_ \n" + head + "".join([row % values for values in zip(*columns, strict=True)])


def _column(values: pd.Series) -> tuple[str, list[Any]]:
    """Return a format for ``%`` and its values, one per entry."""
    if values.dtype.kind in "biu":
        return "%12d", values.tolist()
    if values.dtype.kind == "f":
        return float_column(values.to_numpy(dtype="float64"))
    if values.isna().any():
        values = values.astype(object).where(values.notna(), None)
    return "%s", cells(values.tolist())


def _name(name: str) -> str:
    if not name or name.split() != [name] or name.startswith("_"):
        raise ValueError(f"{name!r} cannot be the name of a block or column")
    return name
