"""Memory of extraction, from the size of the micrographs."""

from __future__ import annotations

from pathlib import Path

from cryoflow.jobs.inputs.micrograph_size import micrograph_pixels
from cryoflow.spec import Extract

#: Copies in single precision while a micrograph is worked on.
_BYTES_PER_PIXEL = 12


def expected_bytes(spec: Extract, project: Path) -> float:
    """Return the expected memory of all workers together, each with its own micrograph."""
    pixels = micrograph_pixels(spec.io.micrograph_star_file, project)
    return float(_BYTES_PER_PIXEL * pixels * spec.compute.workers)
