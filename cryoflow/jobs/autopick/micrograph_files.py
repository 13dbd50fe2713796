"""Paths of the results of one micrograph."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from cryoflow.files.job_paths import micrograph_file
from cryoflow.jobs.autopick.micrographs import Micrograph
from cryoflow.jobs.autopick.output import SUFFIX
from cryoflow.jobs.autopick.picker import Recipe
from cryoflow.jobs.autopick.q_values import competition_file
from cryoflow.project.context import JobContext
from cryoflow.spec import AutoPick


class MicrographFiles(NamedTuple):
    """Absolute paths."""

    stem: str
    """Common stem of RELION's maps, ``<job>/Micrographs/mic001_autopick``."""
    coordinates: Path
    maps: Path
    """Written or read if the spec wants it."""
    candidates: Path | None
    """None where there are none to keep."""
    outputs: tuple[Path, ...]
    """Output files of the job, coordinates first."""


def files_of(spec: AutoPick, context: JobContext, micrograph: Micrograph, recipe: Recipe) -> MicrographFiles:
    """Return the files of a micrograph."""
    stem, coordinates, maps, candidates = (
        micrograph_file(context.directory, micrograph.name, f"_{SUFFIX}{ending}")
        for ending in ("", ".star", "_fom.mrcs", "_candidates.npz")
    )
    keeps = recipe.floor is not None and keeps_candidates(spec, context)
    wanted = {
        coordinates: True,
        competition_file(coordinates): spec.statistics.decoys,
        maps: spec.autopicking.write_fom_maps,
        candidates: keeps,
    }
    outputs = tuple(path for path, is_written in wanted.items() if is_written)
    return MicrographFiles(str(stem), coordinates, maps, candidates if keeps else None, outputs)


def keeps_candidates(spec: AutoPick, context: JobContext) -> bool:
    """Not from maps of whoever made them, and not for points of a sweep, which share maps."""
    return not spec.autopicking.read_fom_maps and context.cache is None
