"""Convert Pydantic's errors to messages: where, what is wrong, what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pydantic_core import ErrorDetails

from cryoflow.spec.base import Broken, Declared, JobSpec
from cryoflow.spec.unknown import unknown_field, unknown_section

Path = tuple[str, ...]


class Place(NamedTuple):
    """Place of an entry: a file or another source, a line (0: none), and the headings above it."""

    source: str
    line: int
    shown: Path

    def say(self, message: str) -> str:
        """Put the place in front of a message: ``file.yaml:6: autopicking > Shrink factor: ...``."""
        where = f"{self.source}:{self.line}" if self.line else self.source
        return ": ".join(part for part in (where, " > ".join(self.shown), message) if part)


class Problem(NamedTuple):
    """One error, and where it is."""

    place: Place
    message: str

    def __str__(self) -> str:
        return self.place.say(self.message)


Locate = Callable[[Path], tuple[str, int]]


class Places:
    """Finds the place of a field, by the names of the model, in what the user wrote.

    Parameters
    ----------
    cls : type of JobSpec
        The job type.
    tree : mapping
        What the user wrote, with the user's own spellings.
    locate : callable
        Returns source and line for a path in the user's spellings.
    """

    def __init__(self, cls: type[JobSpec], tree: Mapping[str, Any], locate: Locate) -> None:
        self._cls = cls
        self._known: dict[Path, Place] = {(): Place(*locate(()), ())}
        self._walk(cls, tree, locate, (), ())

    def _walk(
        self, cls: type[Declared] | None, tree: Mapping[str, Any], locate: Locate, path: Path, typed: Path
    ) -> None:
        for key, value in tree.items():
            name = (cls and cls.resolve(str(key))) or str(key)
            raw = (*typed, str(key))
            place = Place(*locate(raw), raw)
            # a second spelling is known to the model by its own text and a blank, see Declared
            known = (*path, f"{key} " if (*path, name) in self._known else name)
            self._known[known] = place
            if isinstance(value, Mapping):
                child = self._cls.sections().get(name) if cls is self._cls else None
                self._walk(child, value, locate, known, raw)

    def find(self, path: Path) -> Place:
        """Find a field, or the section or file that should hold it, with its label added."""
        for depth in range(len(path), -1, -1):
            place = self._known.get(path[:depth])
            if place is not None:
                return place._replace(shown=(*place.shown, *self._labels(path)[depth:]))
        raise AssertionError("the root is always known")

    def has(self, path: Path) -> bool:
        """Return whether the user wrote this field."""
        return path in self._known

    def _labels(self, path: Path) -> Path:
        shown: list[str] = []
        cls: type[Declared] | None = self._cls
        for name in path:
            known = cls.declarations().get(name) if cls else None
            shown.append(known.label if known else name.strip())
            cls = self._cls.sections().get(name) if cls is self._cls else None
        return tuple(shown)


def clean(error: ErrorDetails) -> Path:
    """Return the path of an error by field names, without union members."""
    return tuple(str(part) for part in error["loc"] if not str(part).startswith("<"))


def to_problems(cls: type[JobSpec], error: ErrorDetails, places: Places) -> list[Problem]:
    """Convert one of Pydantic's errors, which may hold several broken rules."""
    path = clean(error)
    if error["type"] == "broken_rules":
        return [broken_rule(rule, places) for rule in error["ctx"]["broken"]]
    return [Problem(places.find(path), _sentence(cls, path, error))]


def broken_rule(rule: Broken, places: Places) -> Problem:
    """Attribute a broken rule to the first of its fields that the user wrote."""
    paths = [tuple(name.split(".")) for name in rule.fields]
    return Problem(places.find(next((path for path in paths if places.has(path)), paths[0])), rule.message)


def _sentence(cls: type[JobSpec], path: Path, error: ErrorDetails) -> str:
    kind = error["type"]
    if kind == "extra_forbidden":
        if len(path) == 1:
            return unknown_section(cls, path[0], isinstance(error["input"], Mapping))
        return unknown_field(cls, path)
    if kind == "missing":
        return "is missing; this field is required"
    if kind in {"model_type", "dict_type", "model_attributes_type"}:
        return f"expected fields below this heading, got '{error['input']}'"
    return error["msg"]
