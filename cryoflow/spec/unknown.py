"""Messages for unknown names, with the probably intended one."""

from __future__ import annotations

from cryoflow.spec.base import Declared, JobSpec
from cryoflow.spec.helix import REFUSAL
from cryoflow.spec.jobs import SPEC_CLASSES
from cryoflow.spec.names import fold, spellings, suggestion


def unknown_section(cls: type[JobSpec], typed: str, has_fields: bool) -> str:
    """Explain why a top-level key is refused, and suggest the intended one."""
    if cls.resolve(typed) is not None:
        return _TWICE
    if fold(typed) in {"helix", "helical"} or is_helical(cls, typed):
        return REFUSAL
    homes = [name for name, section in cls.sections().items() if section.resolve(typed)]
    if homes and not has_fields:
        return f"is a field of section '{heading(cls, homes[0])}'; put it under that heading"
    job = cls.__name__
    others = [name for name, other in SPEC_CLASSES.items() if _section_named(other, typed)]
    if others:
        return f"{job} has no such section, {' and '.join(others)} {'has' if len(others) == 1 else 'have'}"
    if not has_fields:
        return "unknown field" + (suggestion(typed, labels(cls, typed)) or _elsewhere(cls, typed))
    hint = suggestion(typed, labels(cls, typed))
    listed = ", ".join(heading(cls, name) for name in cls.sections())
    return f"unknown section{hint}" if hint else f"unknown section; {job} has: {listed}"


def unknown_field(cls: type[JobSpec], path: tuple[str, ...]) -> str:
    """Explain why a key in a section is refused, and suggest the intended one."""
    section, typed = cls.sections().get(path[0]), path[-1]
    if section is None or len(path) > 2:
        return "unknown field"
    if section.resolve(typed) is not None:
        return _TWICE
    if is_helical(cls, typed):
        return REFUSAL
    homes = [name for name, other in cls.sections().items() if other.resolve(typed)]
    if homes:
        return f"belongs in section '{heading(cls, homes[0])}'; move it there"
    return "unknown field" + (suggestion(typed, labels(section, typed)) or _elsewhere(cls, typed))


def _elsewhere(cls: type[JobSpec], typed: str) -> str:
    for name, section in cls.sections().items():
        hint = suggestion(typed, labels(section, typed))
        if hint:
            return f"{hint[:-1]} in section '{heading(cls, name)}'?"
    return f"; for all fields see: cryoflow fields {cls.__name__}"


_TWICE = "names the same field as another line; keep one"


def is_helical(cls: type[JobSpec], typed: str) -> bool:
    """Return whether a name is one of RELION's helical fields of this job type."""
    return any(
        fold(typed) in spellings(known.label, known.relion_label) | {fold(known.key or "")}
        for known, _ in cls.helical
    )


def heading(cls: type[JobSpec], section: str) -> str:
    """Return the tutorial's heading of a section."""
    return cls.declarations()[section].label


def labels(cls: type[Declared], typed: str) -> list[str]:
    """Return the fields of a model, by label, or by name where the user writes names."""
    by_name = typed.replace("_", "").isalnum() and typed == typed.lower() and "_" in typed
    return [name if by_name else known.label for name, known in cls.declarations().items()]


def _section_named(cls: type[JobSpec], typed: str) -> bool:
    name = cls.resolve(typed)
    return name is not None and name in cls.sections()
