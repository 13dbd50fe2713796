"""Memory of picking, from the size of the micrographs."""

from __future__ import annotations

import os
from pathlib import Path

from cryoflow.jobs.inputs.micrograph_size import micrograph_pixels
from cryoflow.spec import AutoPick

#: Copies in single precision while a micrograph is worked on, and one transformed.
_BYTES_PER_PIXEL = 25


def expected_bytes(spec: AutoPick, project: Path) -> float:
    """Return the expected memory of all threads together, each with its own micrograph."""
    workers = spec.compute.workers
    concurrent = workers * (spec.compute.threads or max(1, (os.cpu_count() or 1) // workers))
    pixels = micrograph_pixels(spec.io.input_micrographs_for_autopick, project)
    return float(_BYTES_PER_PIXEL * pixels * min(concurrent, 16))
