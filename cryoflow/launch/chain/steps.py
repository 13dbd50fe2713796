"""Chains: specs that feed each other, in the order in which they run.

A chain is a YAML file with a list of steps, each a spec file and the fields to change in it::

    chain: tutorial
    steps:
      - spec: tutorial/11_template_based.yaml
      - spec: tutorial/12_extract_template_based.yaml
        Input coordinates: AutoPick/template_based
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cryoflow.errors import CryoflowError, ErrorCollector, SpecError
from cryoflow.launch.inputs import input_files, with_files
from cryoflow.project.names import job_name, without_alias
from cryoflow.spec import JobSpec
from cryoflow.spec.load import read_document, spec_from
from cryoflow.spec.names import fold
from cryoflow.spec.overrides import resolve_override
from cryoflow.spec.yamltext import Document


class Step(NamedTuple):
    """One job of a chain.

    Attributes
    ----------
    source : str
        Path of its spec file.
    spec : JobSpec
        As the file and the overrides have it; inputs may be named by alias.
    written : int or None
        The number in the file.
    """

    source: str
    spec: JobSpec
    written: int | None = None

    @property
    def title(self) -> str:
        """``AutoPick/template_based``, or the number where there is no alias."""
        return f"{self.spec.job}/{self.spec.alias or _job_name(self.spec)}"

    def directory(self, project: Path) -> str:
        """Return ``AutoPick/job011``; empty for a step that has only an alias and has not run yet."""
        if self.spec.number is not None:
            return f"{self.spec.job}/{_job_name(self.spec)}"
        link = project / self.title
        return f"{self.spec.job}/{link.readlink().name}" if link.is_symlink() else ""

    def answers_to(self, word: str, project: Path | None = None) -> bool:
        """Return whether a word names this step.

        It may be its number, also the one written in its file, its directory, alias or type, or the file's
        name; of a step with an alias only, the directory is looked up in the ``project``.
        """
        number = self.spec.number
        names = {self.title, self.spec.alias, self.spec.job, _job_name(self.spec), Path(self.source).stem}
        names |= {str(number), f"{self.spec.job}/{_job_name(self.spec)}"} if number is not None else set()
        if self.written is not None:
            name = job_name(self.written)
            names |= {str(self.written), name, f"{self.spec.job}/{name}"}
        if project is not None and (directory := self.directory(project)):
            names |= {directory, directory.partition("/")[2]}
        return word.rstrip("/") in names - {None, ""}


def is_chain(path: str) -> bool:
    """Return whether a file contains a chain; a file that cannot be read does not."""
    try:
        return _key(read_document(path).tree, "chain") is not None
    except CryoflowError:
        return False


def read_chain(path: str, overrides: Sequence[str] = ()) -> list[Step]:
    """Read a chain and its specs.

    Parameters
    ----------
    path : str
        YAML file; names of specs in it are relative to it.
    overrides : sequence of str
        ``field=value``, for all steps that have the field; ``12:field=value`` for one of them.

    Returns
    -------
    list of Step
        Each after those whose files it uses, otherwise in the order of the file.

    Raises
    ------
    SpecError
        With the problems of all steps.
    """
    drafts = list(_drafts(read_document(path), path))
    problems = ErrorCollector()
    bare = _loaded(drafts, [() for _ in drafts], problems)
    problems.raise_if_any()
    steps = _loaded(drafts, _shared_out(bare, overrides, problems), problems)
    problems.raise_if_any()
    steps = [step._replace(written=was.spec.number) for step, was in zip(steps, bare, strict=True)]
    _check_names(steps, path)
    return in_order(steps, path)


def find_step(steps: Sequence[Step], word: str, project: Path | None = None) -> int:
    """Return the index of the one step that a word names, see `Step.answers_to`.

    Raises
    ------
    CryoflowError
        If it names none or several.
    """
    found = [place for place, step in enumerate(steps) if step.answers_to(word, project)]
    if len(found) != 1:
        raise CryoflowError(_which_steps(steps, word, [steps[place].title for place in found]))
    return found[0]


def _which_steps(steps: Sequence[Step], word: str, found: Sequence[str]) -> str:
    """Return why a word names no step, or several, and what to write instead."""
    if found:
        return f"'{word}' names {len(found)} steps in this chain; give one of {', '.join(found)}"
    numbers = [step.spec.number for step in steps if step.spec.number is not None]
    unnumbered = [step.title for step in steps if step.spec.number is None]
    if word.isdigit() and unnumbered:
        return f"no step '{word}' in this chain; steps without a number are {', '.join(unnumbered)}"
    if word.isdigit() and len(numbers) > 1:
        return f"no step '{word}' in this chain; its steps are {min(numbers)} to {max(numbers)}"
    return f"no step '{word}' in this chain; its steps are {', '.join(step.title for step in steps)}"


def in_order(steps: Sequence[Step], path: str) -> list[Step]:
    """Sort steps so that each comes after those that feed it.

    Raises
    ------
    CryoflowError
        If some feed each other in a cycle.
    """
    rest, done = list(steps), list[Step]()
    while rest:
        free = next((step for step in rest if not any(feeds(other, step) for other in rest)), None)
        if free is None:
            titles = ", ".join(step.title for step in rest)
            raise CryoflowError(f"{path}: steps feed each other in a cycle: {titles}")
        rest.remove(free)
        done.append(free)
    return done


def feeds(feeder: Step, fed: Step) -> bool:
    """Return whether a step uses a file of another."""
    names = {feeder.title, f"{feeder.spec.job}/{_job_name(feeder.spec)}"}
    return any("/".join(value.split("/")[:2]) in names for value in input_files(fed.spec))


def with_numbers(step: Step, steps: Sequence[Step], project: Path) -> JobSpec:
    """Return a step's spec with its inputs in numbered directories, as far as these are known."""
    known = {other.title: other.directory(project) for other in steps}

    def numbered(name: str) -> str:
        return known.get(name) or without_alias(project, name)

    return with_files(project, step.spec, numbered)


class _Draft(NamedTuple):
    source: str
    document: Document
    overrides: tuple[str, ...]


def _drafts(document: Document, path: str) -> Iterator[_Draft]:
    unknown = [key for key in document.tree if fold(key) not in {"chain", "steps"}]
    if unknown or document.problems:
        lines = [str(problem) for problem in document.problems]
        lines += [f"{path}: {key}: unknown key; a chain has 'chain' and 'steps'" for key in unknown]
        raise SpecError(lines)
    steps = _key(document.tree, "steps")
    if not isinstance(steps, list) or not steps:
        raise SpecError([f"{path}: steps: expected a list of spec files"])
    for place, step in enumerate(steps, start=1):
        given = {"spec": step} if isinstance(step, str) else step
        name = _key(given, "spec") if isinstance(given, Mapping) else None
        if not isinstance(name, str):
            raise SpecError([f"{path}: step {place}: expected a spec file, or 'spec:' with fields"])
        source = str(Path(path).parent / name)
        fields = {key: value for key, value in given.items() if fold(key) != "spec"}
        yield _Draft(source, read_document(source), tuple(_as_overrides(fields)))


def _as_overrides(fields: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in fields.items():
        if isinstance(value, Mapping):
            yield from _as_overrides(value, f"{above}{key}.")
        else:
            text = f"[{', '.join(map(str, value))}]" if isinstance(value, list) else value
            yield f"{above}{key}={text}"


def _loaded(
    drafts: Sequence[_Draft], overrides: Sequence[Sequence[str]], problems: ErrorCollector
) -> list[Step]:
    steps = []
    for draft, own in zip(drafts, overrides, strict=True):
        with problems:
            spec = spec_from(draft.document, draft.source, [*draft.overrides, *own])
            steps.append(Step(draft.source, spec))
    return steps


def _shared_out(steps: Sequence[Step], overrides: Sequence[str], problems: ErrorCollector) -> list[list[str]]:
    own: list[list[str]] = [[] for _ in steps]
    for override in overrides:
        chosen, text = _for_one(steps, override)
        refusals: list[str] = []
        for place in chosen:
            try:
                own[place].append(resolve_override(type(steps[place].spec), text))
            except SpecError as error:
                refusals.extend(error.problems)
        if len(refusals) == len(chosen):
            problems.add(refusals)
    return own


def _for_one(steps: Sequence[Step], override: str) -> tuple[list[int], str]:
    """Split ``12:field=value``; without a step it is for all steps."""
    head, colon, rest = override.partition(":")
    named = head.isdigit() or any(step.answers_to(head) for step in steps)
    if colon and "=" in rest and named:
        return [find_step(steps, head)], rest
    return list(range(len(steps))), override


def _check_names(steps: Sequence[Step], path: str) -> None:
    problems = ErrorCollector()
    titles, numbers = set[str](), set[int | None]()
    for step in steps:
        if step.spec.number is None and step.spec.alias is None:
            problems.add([f"{step.source}: a step needs a number or an alias, so that a later run finds it"])
        if step.title in titles or step.spec.number in numbers - {None}:
            problems.add([f"{path}: two steps are named {step.title} or share its number"])
        titles.add(step.title)
        numbers.add(step.spec.number)
    problems.raise_if_any()


def _job_name(spec: JobSpec) -> str:
    return "" if spec.number is None else job_name(spec.number)


def _key(tree: Mapping[str, Any], name: str) -> Any:
    return next((value for key, value in tree.items() if fold(str(key)) == name), None)
