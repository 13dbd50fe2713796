"""STAR files: named blocks, each a table of columns or a list of keys and values."""

from __future__ import annotations

from cryoflow.files.star_read import read_star
from cryoflow.files.star_types import Block, StarStyle
from cryoflow.files.star_write import write_star

__all__ = ["Block", "StarStyle", "read_star", "write_star"]
