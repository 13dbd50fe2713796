"""Limits of YAML texts, checked before anything is made of them: a few bytes can mean millions of values."""

from __future__ import annotations

from typing import Any

import yaml

#: Values that a spec, a chain or a preset may have, aliases counted as often as they are used.
MOST_VALUES = 20_000

#: The same of records, which name every file of a job.
MOST_RECORDED = 5_000_000

#: Lists and mappings within each other.
DEEPEST = 50

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OPENING = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSING = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


class YamlLimit(yaml.YAMLError):
    """A text that is beyond a limit; ``str(error)`` says which."""


class Tally:
    """Counts the values of a text as they come, and those that aliases stand for.

    Parameters
    ----------
    most : int
        Values allowed.
    """

    def __init__(self, most: int) -> None:
        self._most, self._count = most, 0
        self._open: list[tuple[str | None, int]] = []
        self._sizes: dict[str, int] = {}

    def add(self, event: Any) -> None:
        """Take the next event of a parser.

        Raises
        ------
        YamlLimit
            If there are too many values, or they are nested too deep.
        """
        if isinstance(event, yaml.AliasEvent):
            # one of what is still open refers to itself, which readers refuse by themselves
            self._count += self._sizes.get(str(event.anchor), 1)
        elif isinstance(event, yaml.ScalarEvent):
            self._count += 1
            if event.anchor:
                self._sizes[event.anchor] = 1
        elif isinstance(event, _OPENING):
            self._count += 1
            self._open.append((event.anchor, self._count - 1))
        elif isinstance(event, _CLOSING):
            anchor, before = self._open.pop()
            if anchor:
                self._sizes[anchor] = self._count - before
        if self._count > self._most:
            raise YamlLimit(f"has more than {self._most} values, aliases included")
        if len(self._open) > DEEPEST:
            raise YamlLimit(f"is nested deeper than {DEEPEST} levels")


def check_yaml(text: str, most: int = MOST_VALUES, loader: Any = _PARSER) -> None:
    """Refuse a text with too many values or levels, or with merge keys, without making anything of it.

    Parameters
    ----------
    text : str
        YAML.
    most : int
        Values allowed.
    loader : type
        PyYAML's loader that is going to read the text.

    Raises
    ------
    YamlLimit
        See `Tally.add`.
    yaml.YAMLError
        If the text is no YAML.
    """
    tally = Tally(most)
    for event in yaml.parse(text, Loader=loader):
        tally.add(event)
        if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]:
            raise YamlLimit("has a merge key '<<', which is not supported; write the values out")
