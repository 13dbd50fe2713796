"""YAML with line numbers: every value as text, every key once, a lone ``-`` for none."""

from __future__ import annotations

from typing import Any, NamedTuple

import yaml

from cryoflow.spec.problems import Path, Place, Problem
from cryoflow.yaml_limits import MOST_VALUES, Tally, YamlLimit


class Document(NamedTuple):
    """Content of a YAML text.

    Attributes
    ----------
    tree : dict
        Mappings, lists and text; nothing is converted to numbers here, so ``010`` stays ``010``.
    lines : dict
        Line (from 1) of every key, by its path.
    problems : list of Problem
        Duplicate keys and similar errors.
    """

    tree: dict[str, Any]
    lines: dict[Path, int]
    problems: list[Problem]


class _Loader(yaml.BaseLoader):
    """Reads a lone ``-``, as in the tutorial's tables, as none; within limits."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._tally = Tally(MOST_VALUES)

    def get_event(self) -> Any:
        event = super().get_event()  # type: ignore[no-untyped-call]
        self._tally.add(event)
        return event

    def _lone_dash(self) -> bool:
        if self.flow_level or self.allow_simple_key or self.peek() != "-":
            return False
        ahead = 1
        while self.peek(ahead) in " \t":
            ahead += 1
        return self.peek(ahead) in "\0\r\n" or (ahead > 1 and self.peek(ahead) == "#")

    def check_block_entry(self) -> bool:
        return bool(super().check_block_entry()) and not self._lone_dash()

    def check_plain(self) -> bool:
        return bool(super().check_plain()) or self._lone_dash()


def parse_yaml(text: str, source: str) -> Document:
    """Parse YAML text.

    Parameters
    ----------
    text : str
        The text.
    source : str
        Its name in messages.

    Returns
    -------
    Document
        Empty, with one problem, when the text is not YAML or not a mapping.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        return _unreadable(source, *_yaml_message(error))
    if node is None:
        return _unreadable(source, "is empty; it must name a job, e.g. 'job: AutoPick'")
    if not isinstance(node, yaml.MappingNode):
        return _unreadable(source, "is not a spec; expected lines such as 'job: AutoPick'", 1)
    walk = _Walk(source)
    tree = walk.mapping(node, ())
    return Document(tree, walk.lines, walk.problems)


def parse_value(text: str) -> Any:
    """Parse the value of an override: text, or a YAML list or mapping in brackets."""
    if not text.lstrip().startswith(("[", "{")):
        return text
    document = parse_yaml(f"value: {text}", "value")
    return text if document.problems else document.tree["value"]


def _unreadable(source: str, message: str, line: int = 0) -> Document:
    return Document({}, {}, [Problem(Place(source, line, ()), message)])


def _yaml_message(error: yaml.YAMLError) -> tuple[str, int]:
    if isinstance(error, YamlLimit):
        return f"cannot be a spec: it {error}", 0
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return "not valid YAML: it contains control characters", 0
    problem = str(error.problem)
    hint = ""
    if "\\t" in problem:
        hint = "; indent with spaces, not tabs"
    elif "mapping values" in problem:
        hint = "; text that holds ': ' needs quotes, e.g. \"OR: remove duplicates?\": No"
    return f"not valid YAML: {problem}{hint}", error.problem_mark.line + 1


class _Walk:
    def __init__(self, source: str) -> None:
        self.source = source
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []
        self._open: set[int] = set()

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            below = (*path, key)
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(line, path, "a name must be text, not a list or a mapping")
            elif key in tree:
                self._problem(line, below, f"appears twice, first on line {self.lines[below]}; keep one")
            else:
                self.lines[below] = line
                tree[key] = self.value(value_node, below)
        return tree

    def value(self, node: yaml.Node, path: Path) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return node.value
        if id(node) in self._open:
            self._problem(node.start_mark.line + 1, path, "refers to itself")
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self.mapping(node, path)
            return [self.value(item, path) for item in node.value]
        finally:
            self._open.discard(id(node))

    def _problem(self, line: int, path: Path, message: str) -> None:
        self.problems.append(Problem(Place(self.source, line, path), message))
