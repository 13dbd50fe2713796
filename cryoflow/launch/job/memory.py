"""About how much memory a job will take, where its inputs are there to be looked at."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cryoflow.errors import CryoflowError
from cryoflow.jobs.class2d.memory import class2d_size, expected_need
from cryoflow.launch.inputs import with_files
from cryoflow.spec import JobSpec

#: Python with torch, before it has read anything.
BASE_GB = 0.5

#: Bytes a pixel of a micrograph while it is worked on: copies in single precision, and one transformed.
_PICKING, _EXTRACTING = 25, 12


def expected_gb(spec: JobSpec, project: Path) -> float | None:
    """Return the expected memory in GB, to within a factor of two; None where inputs are not there yet."""
    count = _COUNTS.get(spec.job)
    try:
        more = count(with_files(project, spec), project) if count else 0.0
    except (CryoflowError, KeyError, IndexError, OSError):
        return None
    return round(BASE_GB + more / 1e9, 1)


def _picking(spec: Any, project: Path) -> float:
    workers = spec.compute.workers
    concurrent = workers * (spec.compute.threads or max(1, (os.cpu_count() or 1) // workers))
    pixels = _micrograph_pixels(spec.io.input_micrographs_for_autopick, project)
    return float(_PICKING * pixels * min(concurrent, 16))


def _extracting(spec: Any, project: Path) -> float:
    name = spec.io.micrograph_star_file
    return float(_EXTRACTING * _micrograph_pixels(name, project) * spec.compute.workers)


def _classifying(spec: Any, project: Path) -> float:
    from cryoflow.files.mrc import read_header, split_image_name
    from cryoflow.files.tables import read_particles

    earlier = str(spec.io.continue_from_here).replace("_optimiser.star", "_data.star")
    rows = read_particles(project / (spec.io.input_images_star_file or earlier)).rows
    box = read_header(project / split_image_name(str(rows["rlnImageName"].iloc[0]))[1]).nx
    threads = spec.compute.threads or os.cpu_count() or 1
    return expected_need(class2d_size(spec, len(rows), box, threads)).total


def _micrograph_pixels(table: str, project: Path) -> float:
    from cryoflow.files.mrc import read_header
    from cryoflow.files.tables import read_micrographs

    names = read_micrographs(project / table).rows["rlnMicrographName"]
    header = read_header(project / str(names.iloc[0]))
    return float(header.nx * header.ny)


_COUNTS = {"AutoPick": _picking, "Extract": _extracting, "Class2D": _classifying}
