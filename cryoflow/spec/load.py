"""From a YAML file or a mapping to a spec, or to every problem in it at once."""

from __future__ import annotations

import os
from collections.abc import Container, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cryoflow.errors import FileError, SpecError
from cryoflow.plain_files import read_plain_text
from cryoflow.spec.base import Broken, JobSpec
from cryoflow.spec.jobs import SPEC_CLASSES, spec_class
from cryoflow.spec.names import fold
from cryoflow.spec.overrides import Override, apply_override
from cryoflow.spec.problems import Locate, Path, Place, Places, Problem, broken_rule, clean, to_problems
from cryoflow.spec.values import is_nothing
from cryoflow.spec.yamltext import Document, parse_yaml

#: Bytes of a spec file.
LONGEST = 1_000_000


def load_spec(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> JobSpec:
    """Read a spec file.

    Parameters
    ----------
    path : path-like
        YAML file.
    overrides : sequence of str
        ``name=value``, by dotted name, unique short name or label.

    Raises
    ------
    FileError
        If the file cannot be read.
    SpecError
        With every problem, each ``file:line: section > field: what is wrong``.
    """
    return spec_from(read_document(path), str(path), overrides)


def read_document(path: str | os.PathLike[str]) -> Document:
    """Read the YAML of a spec file without validating it.

    Raises
    ------
    FileError
        If the file cannot be read.
    """
    try:
        text = read_plain_text(path, LONGEST)
    except UnicodeDecodeError as error:
        raise FileError(path, "is not a text file (UTF-8); give a YAML spec") from error
    except OSError as error:
        raise FileError(path, f"cannot be read: {error.strerror}") from error
    return parse_yaml(text, str(path))


def spec_from(document: Document, source: str, overrides: Sequence[Override] = ()) -> JobSpec:
    """Validate a document with overrides; see `load_spec`."""

    def locate(typed: Path) -> tuple[str, int]:
        return overridden.get(typed) or (source, document.lines.get(typed, 0))

    overridden: dict[Path, tuple[str, int]] = {}
    problems = list(document.problems)
    cls = job_of(document, source)
    tree: dict[str, Any] = document.tree
    for override in overrides:
        given = f"override '{override if isinstance(override, str) else '='.join(map(str, override))}'"
        try:
            tree, typed = apply_override(cls, tree, override)
            overridden[typed] = (given, 0)
        except ValueError as error:
            problems.append(Problem(Place(given, 0, ()), str(error)))
    return _validated(cls, tree, locate, problems)


def job_of(document: Document, source: str) -> type[JobSpec]:
    """Return the job type that a document names.

    Raises
    ------
    SpecError
        If it names none.
    """
    if not document.tree:
        raise SpecError(map(str, document.problems))
    return _job_type(document.tree, lambda typed: (source, document.lines.get(typed, 0)))


def parse_spec(mapping: Mapping[str, Any], source: str = "spec") -> JobSpec:
    """Validate a mapping as it comes from a record, from Hydra, or from Python.

    Parameters
    ----------
    mapping : mapping
        Top-level keys `job`, `number`, `alias`, `star_style`, `objective`, sections.
    source : str
        Its name in messages.

    Raises
    ------
    SpecError
        With every problem.
    """

    def locate(typed: Path) -> tuple[str, int]:
        return source, 0

    return _validated(_job_type(mapping, locate), mapping, locate, [])


def spec_dump(spec: JobSpec) -> dict[str, Any]:
    """Return a spec as plain data by field name, in the order of the tutorial; `parse_spec` reads it back."""
    plain = spec.model_dump(mode="json", by_alias=False)
    head = [name for name in plain if name not in spec.sections()]
    return {name: plain[name] for name in [*head, *spec.sections()]}


def _job_type(tree: Mapping[str, Any], locate: Locate) -> type[JobSpec]:
    key = next((key for key in tree if fold(str(key)) == "job"), None)
    place = Place(*locate((str(key),) if key else ()), ("job",))
    if key is None or is_nothing(tree[key]):
        raise SpecError([place.say(f"is missing; name the job type: {', '.join(SPEC_CLASSES)}")])
    try:
        return spec_class(tree[key])
    except SpecError as error:
        raise SpecError([place.say(str(error))]) from None


def _validated(
    cls: type[JobSpec], tree: Mapping[str, Any], locate: Locate, problems: list[Problem]
) -> JobSpec:
    tree = {("job" if fold(str(key)) == "job" else key): value for key, value in tree.items()}
    tree["job"] = cls.__name__
    try:
        spec = cls.model_validate(tree)
    except ValidationError as error:
        places = Places(cls, tree, locate)
        errors = error.errors(include_url=False)
        problems = problems + [problem for each in errors for problem in to_problems(cls, each, places)]
        problems += _rules_among_the_rest(cls, tree, errors, places)
    if problems:
        raise SpecError(str(problem) for problem in sorted(problems, key=lambda problem: problem.place.line))
    return spec


def _rules_among_the_rest(
    cls: type[JobSpec], tree: Mapping[str, Any], errors: list[ErrorDetails], places: Places
) -> list[Problem]:
    """Find rules broken by otherwise valid fields, so that all errors are reported at once."""
    wrong = {clean(error)[:2]: error["type"] for error in errors}
    if () in wrong:
        return []
    # an unknown name may mean any field of its section, so that none of its rules can be checked
    wrong |= {path[:-1]: kind for path, kind in wrong.items() if kind == "extra_forbidden" and path[:-1]}
    mended = _mended(cls, tree, wrong)
    try:
        cls.model_validate(mended)
    except ValidationError as error:
        details = error.errors(include_url=False)
        if details[0]["type"] != "broken_rules":
            return []
        broken: tuple[Broken, ...] = details[0]["ctx"]["broken"]
        return [broken_rule(rule, places) for rule in broken if not _touches(rule, wrong)]
    return []


def _touches(rule: Broken, wrong: Mapping[Path, str]) -> bool:
    paths = [tuple(name.split(".")) for name in rule.fields]
    return any(path[: len(bad)] == bad for path in paths for bad in wrong)


def _mended(cls: type[JobSpec], tree: Mapping[str, Any], wrong: Container[Path]) -> dict[str, Any]:
    """Copy a tree by field names, without the wrong fields, and with placeholders for required fields."""
    mended: dict[str, Any] = {"job": cls.__name__}
    given = {cls.resolve(str(key)): value for key, value in tree.items()}
    for name, section in cls.sections().items():
        fields = {} if (name,) in wrong or not isinstance(given.get(name), Mapping) else given[name]
        named = {section.resolve(str(key)): value for key, value in fields.items()}
        kept = {field: value for field, value in named.items() if field and (name, field) not in wrong}
        stand_ins = {field: "x" for field, info in section.model_fields.items() if info.is_required()}
        mended[name] = stand_ins | kept
    return mended
