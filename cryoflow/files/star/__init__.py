"""STAR files: named blocks, each a table of columns or a list of keys and values."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike

import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.star.read import read_star
from cryoflow.files.star.types import Block, StarStyle
from cryoflow.files.star.write import write_star

__all__ = ["Block", "StarStyle", "as_table", "read_star", "table_block", "write_star"]


def as_table(block: Block) -> pd.DataFrame:
    """Return a block as a table; keys and values make one row."""
    return block if isinstance(block, pd.DataFrame) else pd.DataFrame([block])


def table_block(
    path: str | PathLike[str], blocks: Mapping[str, Block], name: str, wanted: str | None = None
) -> pd.DataFrame:
    """Return the table with the given block name from the blocks that `read_star` read from `path`.

    A block of keys and values is a table of one row, as RELION takes it.

    Raises
    ------
    FileError
        When there is no such block (the message names `wanted` instead, if given, and the blocks there are),
        or it is empty.
    """
    block = blocks.get(name)
    if block is not None and len(block.keys()):
        return as_table(block)
    if name in blocks:
        raise FileError(path, f"data_{name} holds no table of columns (no loop_)")
    wanted = name if wanted is None else wanted
    have = ", ".join(f"data_{key}" for key in blocks)
    raise FileError(path, f"has no table of {wanted} (data_{wanted}); it has {have}")
