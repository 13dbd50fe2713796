"""From spec files and overrides to the jobs that will run, all validated before the first starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import Any, NamedTuple

from cryoflow.errors import ErrorCollector, SpecError
from cryoflow.jobs.registry import JOB_TYPES
from cryoflow.launch.hydra_settings import NO_WORDS, HydraWords, search_words
from cryoflow.launch.overrides import compose_point, hydra_override, is_interval, unquoted, values
from cryoflow.spec import JobSpec, spec_dump
from cryoflow.spec.load import job_of, read_document, spec_from
from cryoflow.spec.overrides import resolve_override
from cryoflow.spec.yamltext import Document

_SEARCH = "add hydra/sweeper=optuna, or give a list of values"


class Source(NamedTuple):
    """A spec as it was written, and what to call it in messages."""

    name: str
    document: Document


class Plan(NamedTuple):
    """The jobs of one spec.

    Attributes
    ----------
    spec : JobSpec
        The spec of the first point.
    specs : tuple of JobSpec
        Those of all points.
    overrides : tuple of str
        In Hydra's grammar; lists of values make a sweep.
    points : tuple of tuple of str
        The values of every point, ``field=value``, in Hydra's order; of a search those at the ends of its
        intervals.
    hydra : tuple of str
        Hydra's own settings.
    search : bool
        Whether a sweeper chooses the points as it goes.
    """

    spec: JobSpec
    specs: tuple[JobSpec, ...]
    overrides: tuple[str, ...]
    points: tuple[tuple[str, ...], ...]
    hydra: tuple[str, ...] = ()
    search: bool = False


def read_sources(paths: Sequence[str]) -> list[Source]:
    """Read spec files; all that cannot be read are reported at once."""
    sources, problems = [], ErrorCollector()
    for path in paths:
        with problems:
            sources.append(Source(path, read_document(path)))
    problems.raise_if_any()
    return sources


def source_of(spec: str | PathLike[str] | Mapping[str, Any] | JobSpec, name: str = "spec") -> Source:
    """Return the source for a spec file, its content, or a validated spec."""
    if isinstance(spec, JobSpec):
        spec = spec_dump(spec)
    if isinstance(spec, Mapping):
        return Source(name, Document(dict(spec), {}, []))
    return Source(fspath(spec), read_document(spec))


def make_plans(
    sources: Sequence[Source],
    overrides: Sequence[str],
    multirun: bool,
    hydra: HydraWords = NO_WORDS,
    composed: bool = True,
) -> list[Plan]:
    """Validate every point of every spec.

    Parameters
    ----------
    sources : sequence of Source
        Specs as they were written.
    overrides : sequence of str
        ``name=value``.
    multirun : bool
        Whether lists of values are a sweep.
    hydra : HydraWords
        Settings of Hydra itself.
    composed : bool
        Whether Hydra composes the points; without, they are read as a spec file is, which a sweep of a
        thousand points needs.

    Raises
    ------
    SpecError
        With the problems of all of them.
    """
    plans, problems = [], ErrorCollector()
    for source, own in zip(sources, _shared_out(sources, overrides), strict=True):
        with problems:
            plans.append(_plan(source, own, multirun, hydra, composed))
    problems.raise_if_any()
    return plans


def _plan(
    source: Source, overrides: Sequence[str], multirun: bool, hydra: HydraWords, composed: bool
) -> Plan:
    given = tuple(hydra_override(override) for override in overrides)
    several = [text for text, override in zip(overrides, given, strict=True) if len(values(override)) > 1]
    if several and not multirun:
        raise SpecError(map(_needs_multirun, several))
    open_ones = [text for text, override in zip(overrides, given, strict=True) if is_interval(override)]
    if open_ones and not hydra.search:
        raise SpecError(
            f"override '{text}': only a search takes an interval; {_SEARCH}" for text in open_ones
        )
    points = _product(given)
    specs = _load_points(source, points, multirun, composed)
    return Plan(specs[0], tuple(specs), given, points, search_words(hydra, specs[0]), hydra.search)


def _load_points(
    source: Source, points: Sequence[Sequence[str]], multirun: bool, composed: bool
) -> list[JobSpec]:
    specs, problems = [], ErrorCollector()
    for point in points:
        with problems:
            specs.append(_load(source, point, multirun, composed))
    problems.raise_if_any()
    return specs


def _load(source: Source, point: Sequence[str], multirun: bool, composed: bool) -> JobSpec:
    """Load a point; a sweep leaves number and alias out, since its jobs cannot share them.

    Some job types have more such fields, see `cryoflow.jobs.registry.SweepTraits`.
    """
    cls = job_of(source.document, source.name)
    given = compose_point(cls, point) if composed else list(map(unquoted, point))
    if multirun:
        varied = {value.partition("=")[0] for value in point}
        given += ["number=-", "alias=-"]
        more = JOB_TYPES[cls.__name__].sweep.overrides
        given += [override for override in more if override.partition("=")[0] not in varied]
    return spec_from(source.document, source.name, given)


def _product(overrides: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    from itertools import product

    return tuple(product(*map(values, overrides)))


def _needs_multirun(text: str) -> str:
    name, _, value = text.partition("=")
    hint = f"add --multirun for one job each, or write {name}=[{value}] for a list"
    return f"override '{text}': several values; {hint}"


def _shared_out(sources: Sequence[Source], overrides: Sequence[str]) -> list[list[str]]:
    """Return for every spec the overrides that it has a field for, by dotted name.

    Raises
    ------
    SpecError
        If one fits no spec, or may mean two fields.
    """
    own: list[list[str]] = [[] for _ in sources]
    problems = ErrorCollector()
    for override in overrides:
        refusals: list[str] = []
        for source, mine in zip(sources, own, strict=True):
            try:
                mine.append(resolve_override(job_of(source.document, source.name), override))
            except SpecError as error:
                refusals.extend(error.problems)
        ambiguous = [line for line in refusals if "ambiguous" in line]
        problems.add(refusals if len(refusals) == len(sources) else ambiguous)
    problems.raise_if_any()
    return own
