"""Results of a Select job for the table of a sweep: quality of its choice, if there are learnt scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cryoflow.errors import FileError
from cryoflow.files.tables import read_particles
from cryoflow.jobs.select.conditions import Source, numbers
from cryoflow.jobs.select.scored import BESIDE, places_of_scores, read_scores
from cryoflow.learn.score.expected import expected_f1
from cryoflow.project.context import SweepCache
from cryoflow.project.record import read_record
from cryoflow.spec import Select, parse_spec

PROBABILITY = "cryoflowProbability"


def sweep_columns(
    project: Path, job: str, counts: Mapping[str, Any], cache: SweepCache | None
) -> dict[str, Any]:
    """Return the columns of a Select job in the table of a sweep; none without learnt scores.

    ``expected_true`` is the sum of the probabilities of the particles kept; ``expected_f1`` compares them
    with those of all scored particles, kept or not.
    """
    del counts, cache
    spec = parse_spec(read_record(project / job)["spec"])
    assert isinstance(spec, Select)
    path, kept = _scores(spec, project), project / job / "particles.star"
    if path is None or not kept.exists():
        return {}
    try:
        scores = Source(read_scores(path), path, "rows")
        every = numbers(scores, PROBABILITY)
        place = places_of_scores(Source(read_particles(kept).rows, kept, "particles"), scores)
    except FileError:  # of other rows, or without probabilities
        return {}
    chosen = np.where(place >= 0, every[place], np.nan)
    return {
        "expected_true": round(float(np.nansum(chosen)), 1),
        "expected_f1": round(expected_f1(chosen, every), 4),
    }


def sweep_names(spec: Select, project: Path) -> tuple[str, ...]:
    """Return the names of all columns that a point will have."""
    io = spec.io
    if io.select_classes_from_model_star is not None:
        names: tuple[str, ...] = ("classes", "particles")
    elif io.select_from_particles_star is not None:
        names = ("particles",)
    else:
        names = ("micrographs",)
    subsets = ("subsets",) if spec.subsets.split_into_subsets else ()
    learnt = ("expected_true", "expected_f1") if _scores(spec, project) is not None and not subsets else ()
    return (*names, *subsets, *learnt)


def _scores(spec: Select, project: Path) -> Path | None:
    """The table of scores that the spec names, or that is next to its particles."""
    if spec.selection.scores is not None:
        return project / spec.selection.scores
    particles = spec.io.select_from_particles_star
    beside = None if particles is None else (project / particles).with_name(BESIDE)
    return beside if beside is not None and beside.exists() else None
