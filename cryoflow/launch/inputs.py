"""The files that a spec names, and those that it means by the name of a job."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from cryoflow.project.names import is_job_name, without_alias
from cryoflow.spec import JobSpec, parse_spec, spec_dump

_SUFFIXES = {".star", ".mrc", ".mrcs", ".map"}

#: Field of a first tab -> what it takes; the others take particles.
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
}

#: What is taken -> names that jobs give it; of several that are there the last one by name is meant.
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
    "particles": ("particles_sort.star", "particles.star", "run_*it[0-9][0-9][0-9]_data.star"),
}

#: Takes a job's directory, e.g. ``AutoPick/template_based``, and returns the one with its number.
Numbered = Callable[[str], str]


def input_files(spec: JobSpec) -> tuple[str, ...]:
    """Return the files (or jobs) that the spec's first tab names."""
    values: Iterable[Any] = dict(getattr(spec, "io", ())).values()
    return tuple(dict.fromkeys(value for value in values if isinstance(value, str) and _is_file(value)))


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
    tab = dict(plain.get("io") or {})
    find = numbered or (lambda name: without_alias(project, name))
    meant = {
        field: _file(project, value, field, find)
        for field, value in tab.items()
        if isinstance(value, str) and _is_file(value)
    }
    if all(tab[field] == value for field, value in meant.items()):
        return spec
    return parse_spec({**plain, "io": tab | meant}, spec.job)


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
    found = (sorted((project / job).glob(pattern)) for pattern in patterns)
    there = next((files for files in found if files), None)
    if there:
        return f"{job}/{there[-1].name}"
    return job


def _is_file(value: str) -> bool:
    return "/" in value or PurePosixPath(value).suffix in _SUFFIXES
