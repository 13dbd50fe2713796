"""The files that a spec names, directly or by the name of a job."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from cryoflow.project.names import is_job_name, without_alias
from cryoflow.spec import Class2D, JobSpec, parse_spec, spec_dump
from cryoflow.spec.field import FileKind

#: What a field takes -> names that jobs give such files; of several iterations the last is meant.
FILE_NAMES: dict[FileKind, tuple[str, ...]] = {
    "micrographs": ("micrographs_ctf.star", "micrographs_selected.star", "micrographs.star"),
    "averages": ("class_averages.star",),
    "coordinates": (
        "coords_suffix_autopick.star",
        "coords_suffix_extract.star",
        "coords_suffix_manualpick.star",
    ),
    "map": ("run_class001.mrc", "run_*it[0-9][0-9][0-9]_class001.mrc"),
    "model": ("run_*it[0-9][0-9][0-9]_model.star",),
    "optimiser": ("run_*it[0-9][0-9][0-9]_optimiser.star",),
    "scores": ("particles_scores.star", "picks_scores.star"),
    "score model": ("particles_model.json",),
    "particles": ("particles_sort.star", "particles.star", "run_*it[0-9][0-9][0-9]_data.star"),
}

#: Job type and what a field takes of it -> the name of the file.
_MADE: dict[tuple[str, FileKind], str] = {
    ("AutoPick", "coordinates"): "coords_suffix_autopick.star",
    ("Extract", "coordinates"): "coords_suffix_extract.star",
    ("Extract", "particles"): "particles.star",
    ("Sort", "particles"): "particles_sort.star",
    ("Sort", "scores"): "particles_scores.star",
    ("Sort", "score model"): "particles_model.json",
    ("Select", "particles"): "particles.star",
    ("Select", "averages"): "class_averages.star",
    ("Select", "micrographs"): "micrographs.star",
}

#: Takes a job's directory, e.g. ``AutoPick/template_based``, and returns the one with its number.
Numbered = Callable[[str], str]


def input_files(spec: JobSpec) -> tuple[str, ...]:
    """Return the files (or jobs) that the spec names."""
    return tuple(dict.fromkeys(named.value for named in _named_files(spec)))


def with_files(project: Path, spec: JobSpec, numbered: Numbered | None = None) -> JobSpec:
    """Return a spec whose inputs are files below directories with numbers.

    ``AutoPick/template_based`` and ``AutoPick/job011`` mean that job's file of the kind that the field takes;
    ``AutoPick/template_based/summary.star`` means that file of the job with this alias. What does not exist
    stays as it is.

    Parameters
    ----------
    project : Path
        Absolute project root.
    spec : JobSpec
        Any job.
    numbered : callable, optional
        See `Numbered`; by default aliases are looked up in the project.
    """
    find = numbered or (lambda name: without_alias(project, name))
    plain = spec_dump(spec)
    for named in _named_files(spec):
        plain[named.section][named.field] = _file(project, named.value, named.takes, find)
    return spec if plain == spec_dump(spec) else parse_spec(plain, spec.job)


def expected_files(spec: JobSpec, makers: Mapping[str, JobSpec]) -> tuple[str, ...]:
    """Return the files that the spec names, with the names of those that jobs have yet to make.

    Parameters
    ----------
    spec : JobSpec
        With its inputs as far as they are known, see `with_files`.
    makers : mapping
        Specs of the jobs to come by what the spec calls them, ``Select/job014`` or ``Select/after_sort``.
    """
    files = (_expected(one.value, one.takes, makers.get(one.value)) for one in _named_files(spec))
    return tuple(dict.fromkeys(files))


def _expected(value: str, takes: FileKind, maker: JobSpec | None) -> str:
    if maker is None:
        return value
    if isinstance(maker, Class2D):
        last = f"run_it{maker.optimization.number_of_iterations:03d}"
        names = {"particles": "data", "model": "model", "optimiser": "optimiser"}
        return f"{value}/{last}_{names[takes]}.star" if takes in names else value
    name = _MADE.get((maker.job, takes))
    return f"{value}/{name}" if name else value


class _Named(NamedTuple):
    section: str
    field: str
    value: str
    takes: FileKind


def _named_files(spec: JobSpec) -> Iterator[_Named]:
    """Yield every field that takes a file and names one."""
    for section, model in spec.sections().items():
        for field, known in model.declarations().items():
            value = getattr(getattr(spec, section), field)
            if known.takes and value is not None:
                yield _Named(section, field, value, known.takes)


def _file(project: Path, value: str, takes: FileKind, find: Numbered) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or len(path.parts) < 2:
        return value
    job = find("/".join(path.parts[:2]))
    if len(path.parts) > 2:
        return "/".join([job, *path.parts[2:]])
    if not is_job_name(job.partition("/")[2]):
        return value
    found = ([path.name for path in (project / job).glob(pattern)] for pattern in FILE_NAMES[takes])
    there = next((names for names in found if names), None)
    return f"{job}/{max(there, key=_iteration)}" if there else job


def _iteration(name: str) -> tuple[str, str]:
    """Order names by iteration: ``run_ct20_it025`` comes after ``run_it020``, which it continued."""
    return name.rpartition("_it")[2], name
