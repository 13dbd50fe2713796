"""The size of micrographs, from the header of the first."""

from __future__ import annotations

from pathlib import Path

from cryoflow.files.mrc import read_header
from cryoflow.files.tables import read_micrographs


def micrograph_pixels(table: str, project: Path) -> int:
    """Return the number of pixels of the first micrograph of a table (project-relative name)."""
    names = read_micrographs(project / table).rows["rlnMicrographName"]
    header = read_header(project / str(names.iloc[0]))
    return header.nx * header.ny
