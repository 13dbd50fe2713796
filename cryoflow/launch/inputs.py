"""The files that a spec names, and those that it means by the name of a job."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from cryoflow.project.names import is_job_name, without_alias
from cryoflow.spec import JobSpec, parse_spec, spec_dump

_SUFFIXES = {".star", ".mrc", ".mrcs", ".map"}

#: Tabs other than the first -> fields that name files.
_BESIDE = {"scores": ("good_particles", "bad_particles", "score_model"), "selection": ("scores", "rows_in")}

#: Field -> what it takes; the others take particles.
_TAKES = {
    "input_micrographs_for_autopick": "micrographs",
    "micrograph_star_file": "micrographs",
    "select_from_micrographs_star": "micrographs",
    "reference_2d": "averages",
    "autopicking_references": "averages",
    "input_coordinates": "coordinates",
    "select_from_picked_coords": "coordinates",
    "select_classes_from_model_star": "model",
    "references_from_model_star": "model",
    "continue_from_here": "optimiser",
    "scores": "scores",
    "score_model": "score model",
}

#: What is taken -> names that jobs give it; of several that are there the last iteration is meant.
_NAMES = {
    "micrographs": ("micrographs_ctf.star", "micrographs_selected.star", "micrographs.star"),
    "averages": ("class_averages.star",),
    "coordinates": (
        "coords_suffix_autopick.star",
        "coords_suffix_extract.star",
        "coords_suffix_manualpick.star",
    ),
    "model": ("run_*it[0-9][0-9][0-9]_model.star",),
    "optimiser": ("run_*it[0-9][0-9][0-9]_optimiser.star",),
    "scores": ("particles_scores.star",),
    "score model": ("particles_model.json",),
    "particles": ("particles_sort.star", "particles.star", "run_*it[0-9][0-9][0-9]_data.star"),
}

#: Takes a job's directory, e.g. ``AutoPick/template_based``, and returns the one with its number.
Numbered = Callable[[str], str]


def input_files(spec: JobSpec) -> tuple[str, ...]:
    """Return the files (or jobs) that the spec names."""
    tabs = {tab: dict(getattr(spec, tab, ())) for tab in ("io", *_BESIDE)}
    return tuple(dict.fromkeys(value for _, _, value in _named(tabs)))


def with_files(project: Path, spec: JobSpec, numbered: Numbered | None = None) -> JobSpec:
    """Return a spec whose inputs are files below directories with numbers.

    ``AutoPick/template_based`` and ``AutoPick/job011`` mean the file of that job that the field takes;
    ``AutoPick/template_based/summary.star`` means that of the job with this alias. What is not there stays as
    it is.

    Parameters
    ----------
    project : Path
        Absolute project root.
    spec : JobSpec
        Any job.
    numbered : callable, optional
        See `Numbered`; by default aliases are looked up in the project.
    """
    plain = spec_dump(spec)
    find = numbered or (lambda name: without_alias(project, name))
    new = copy.deepcopy(plain)
    for tab, field, value in _named(plain):
        new[tab][field] = _file(project, value, field, find)
    return spec if new == plain else parse_spec(new, spec.job)


def _named(tabs: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Give tab, field and value of all that names a file."""
    for tab in ("io", *_BESIDE):
        for field, value in (tabs.get(tab) or {}).items():
            if isinstance(value, str) and (_is_file(value) if tab == "io" else field in _BESIDE[tab]):
                yield tab, field, value


def _file(project: Path, value: str, field: str, find: Numbered) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or len(path.parts) < 2:
        return value
    job = find("/".join(path.parts[:2]))
    if len(path.parts) > 2:
        return "/".join([job, *path.parts[2:]])
    if not is_job_name(job.partition("/")[2]):
        return value
    patterns = _NAMES[_TAKES.get(field, "particles")]
    found = ([path.name for path in (project / job).glob(pattern)] for pattern in patterns)
    there = next((names for names in found if names), None)
    return f"{job}/{max(there, key=_iteration)}" if there else job


def _iteration(name: str) -> tuple[str, str]:
    """Order names by iteration: ``run_ct20_it025`` comes behind ``run_it020``, from which it went on."""
    return name.rpartition("_it")[2], name


def _is_file(value: str) -> bool:
    return "/" in value or PurePosixPath(value).suffix in _SUFFIXES
