"""Coordinates and particles in the files of other programs: one module per program, one form in memory."""

from __future__ import annotations

from cryoflow.files.formats.kinds import FORMATS, read_picks, write_picks
from cryoflow.files.formats.picks import Picks

__all__ = ["FORMATS", "Picks", "read_picks", "write_picks"]
