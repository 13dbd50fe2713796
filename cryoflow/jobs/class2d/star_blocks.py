"""Blocks and tables of the STAR files of an iteration, with errors that name what a file lacks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from cryoflow.errors import FileError
from cryoflow.files.star import read_star


class _Block(dict[str, Any]):
    """Values of a block; a missing one raises an error that names the file."""

    def __init__(self, path: Path, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._path = path

    def __missing__(self, name: str) -> Any:
        raise FileError(self._path, f"lacks {name}; give the files of a Class2D run")


def numbers_of(table: pd.DataFrame, name: str) -> Tensor:
    """A column as float64 ``(rows,)``."""
    return torch.as_tensor(table[name].to_numpy(dtype=float, copy=True), dtype=torch.float64)


def find_file(name: str, optimiser: Path, project: Path) -> Path:
    """A file named in a STAR file: in the project, or else next to the optimiser file."""
    there = project / name
    return there if there.exists() else optimiser.parent / Path(name).name


def read_block(path: Path, name: str) -> Mapping[str, Any]:
    """`block_of` a file."""
    return block_of(read_star(path), name, path)


def block_of(blocks: Mapping[str, Any], name: str, path: Path) -> Mapping[str, Any]:
    """Labels and values of ``data_name``; `FileError` when the block, or later a label, is missing."""
    block = blocks.get(name)
    if not isinstance(block, dict):
        raise FileError(path, f"has no block data_{name}; give the files of a Class2D run")
    return _Block(path, block)


def table_of(blocks: Mapping[str, Any], name: str, path: Path, *columns: str) -> pd.DataFrame:
    """The table ``data_name``; `FileError` when it, or one of ``columns``, is missing."""
    block = blocks.get(name)
    if isinstance(block, dict):  # a table of one row may be written as a list
        block = pd.DataFrame([block])
    if not isinstance(block, pd.DataFrame):
        raise FileError(path, f"has no table data_{name}; give the files of a Class2D run")
    missing = next((column for column in columns if column not in block.columns), None)
    if missing is not None:
        raise FileError(path, f"data_{name} lacks {missing}; give the files of a Class2D run")
    return block
