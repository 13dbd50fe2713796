"""``Picking threshold=0.6,0.8``: which field an override on the command line means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from cryoflow.errors import SpecError
from cryoflow.spec.base import Declared, JobSpec
from cryoflow.spec.helix import REFUSAL
from cryoflow.spec.names import suggestion
from cryoflow.spec.problems import Path
from cryoflow.spec.unknown import is_helical
from cryoflow.spec.values import is_nothing, read_number
from cryoflow.spec.yamltext import parse_value

#: ``name=value`` as a user types it, or a name and its value as Python or Hydra gives them.
Override: TypeAlias = str | tuple[str, Any]


def resolve_override(cls: type[JobSpec], override: str) -> str:
    """Replace the name in an override by the dotted name of the field.

    Parameters
    ----------
    cls : type of JobSpec
        The job type.
    override : str
        ``name=value``; the name may be dotted, short (where it is unique) or a label, in any case.

    Returns
    -------
    str
        E.g. ``autopicking.picking_threshold=0.6,0.8``; the value is left as it is.

    Raises
    ------
    SpecError
        If no field, or more than one, has the name.
    """
    try:
        path, value = split_override(cls, override)
    except ValueError as problem:
        raise SpecError([f"override '{override}': {problem}"]) from None
    return f"{'.'.join(path)}={value}"


def split_override(cls: type[JobSpec], override: str) -> tuple[Path, str]:
    """Split an override into the path of its field and the text of its value.

    Raises
    ------
    ValueError
        If no field, or more than one, has the name.
    """
    typed, equals, value = override.partition("=")
    typed = typed.strip()
    if not equals or not typed or typed[0] in "+~":
        raise ValueError("write it as field=value")
    return find_field(cls, typed), value.strip()


def find_field(cls: type[JobSpec], typed: str) -> Path:
    """Return the path of the one field with a name.

    Raises
    ------
    ValueError
        If no field, or more than one, does.
    """
    found = _candidates(cls, typed)
    if len(found) == 1:
        return found[0]
    if found:
        dotted = " or ".join(".".join(path) for path in found)
        raise ValueError(f"'{typed}' is ambiguous; write {dotted}")
    if is_helical(cls, typed):
        raise ValueError(REFUSAL)
    raise ValueError(f"{cls.__name__} has no field '{typed}'{_hint(cls, typed)}")


def apply_override(
    cls: type[JobSpec], tree: Mapping[str, Any], override: Override
) -> tuple[dict[str, Any], Path]:
    """Put the value of an override into a tree.

    Returns
    -------
    tuple
        The new tree, and the path of the field in the user's own spellings.

    Raises
    ------
    ValueError
        See `split_override`.
    """
    if isinstance(override, str):
        path, text = split_override(cls, override)
        return _replaced(cls, tree, path, parse_value(text))
    typed, value = override
    return _replaced(cls, tree, find_field(cls, typed), value)


def means(cls: type[JobSpec], override: str, value: Any) -> bool:
    """Return whether the field of an override takes its text for this value, or refuses both.

    Raises
    ------
    ValueError
        See `split_override`.
    """
    path, text = split_override(cls, override)
    section = cls.sections().get(path[0], cls)
    written = parse_value(text)
    if len(path) > 2 or path[-1] in section.nested_fields():
        return _same_text(written, value)
    return section.same_value(path[-1], written, value)


def _same_text(written: Any, value: Any) -> bool:
    """Compare lists and mappings whose leaves are text on one side, and text or numbers on the other."""
    if isinstance(written, Mapping) and isinstance(value, Mapping):
        names = {str(key): below for key, below in value.items()}
        return names.keys() == written.keys() and all(_same_text(written[key], names[key]) for key in names)
    if isinstance(written, list) and isinstance(value, list):
        return len(written) == len(value) and all(map(_same_text, written, value))
    if is_nothing(written) and is_nothing(value):
        return True
    return str(written) == str(value) or _number(written) == _number(value) is not None


def _number(value: object) -> float | None:
    try:
        return read_number(value)
    except ValueError:
        return None


def _replaced(
    cls: type[JobSpec], tree: Mapping[str, Any], path: Path, value: Any
) -> tuple[dict[str, Any], Path]:
    top = dict(tree)
    level: dict[str, Any] = top
    typed: Path = ()
    models: list[type[Declared] | None] = [cls, cls.sections().get(path[0]), *[None for _ in path]]
    for name, model in zip(path, models, strict=False):
        key = next((str(key) for key in level if _means(model, str(key), name)), name)
        typed = (*typed, key)
        if len(typed) == len(path):
            level[key] = value
            break
        below = level.get(key)
        level[key] = dict(below) if isinstance(below, Mapping) else {}
        level = level[key]
    return top, typed


def _means(model: type[Declared] | None, typed: str, name: str) -> bool:
    return typed == name or (model is not None and model.resolve(typed) == name)


def _candidates(cls: type[JobSpec], typed: str) -> list[Path]:
    top = cls.resolve(typed)
    if top is not None and top != "job" and top not in cls.sections():
        return [(top,)]
    found: list[Path] = []
    for name, section in cls.sections().items():
        field = section.resolve(typed)
        found += [(name, field)] if field else []
    return found or _dotted(cls, typed)


def _dotted(cls: type[JobSpec], typed: str) -> list[Path]:
    heading, dot, rest = typed.partition(".")
    name = cls.resolve(heading)
    section = cls.sections().get(name) if name and dot else None
    if section is None or name is None:
        return []
    field = section.resolve(rest)
    if field is not None:
        return [(name, field)]
    # inside a field that is itself a mapping, e.g. selection.top.n
    first, *deeper = rest.split(".")
    field = section.resolve(first)
    return [(name, field, *deeper)] if field in section.nested_fields() and deeper else []


def _hint(cls: type[JobSpec], typed: str) -> str:
    sections = cls.sections()
    names = [f"{name}.{field}" for name, section in sections.items() for field in section.declarations()]
    labels = [known.label for section in sections.values() for known in section.declarations().values()]
    short = [name.partition(".")[2] for name in names]
    return suggestion(typed, names if "." in typed else short if "_" in typed else labels)
