"""Base classes of all job types: sections with labels, and rules between fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import NoneType
from typing import Any, ClassVar, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError, PydanticUndefined

from cryoflow.spec.field import Declaration, own_field, section
from cryoflow.spec.helix import HelicalField
from cryoflow.spec.names import fold, resolve, spellings
from cryoflow.spec.values import is_nothing, read, refusal


class Broken(NamedTuple):
    """A rule between fields that a spec violates.

    Attributes
    ----------
    fields : tuple of str
        Dotted names of the fields involved; the first is named in the message.
    message : str
        What is wrong and what to do.
    """

    fields: tuple[str, ...]
    message: str


class _Kind(NamedTuple):
    python: type | None
    optional: bool
    default: Any
    declaration: Declaration


class Declared(BaseModel):
    """A frozen model whose fields are declared with `field` or `section`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def declarations(cls) -> dict[str, Declaration]:
        """Return the declaration of every field, by name, in the order of the tutorial's table."""
        return dict(_declarations(cls))

    @classmethod
    def resolve(cls, typed: str) -> str | None:
        """Find the field meant by a name, a label of the tutorial or a label of RELION."""
        return resolve(typed, _spellings(cls))

    @classmethod
    def nested_fields(cls) -> frozenset[str]:
        """Return the names of the fields that hold lists or mappings instead of one value."""
        kinds = {name: kind.python for name, kind in _kinds(cls).items()}
        return frozenset(name for name, kind in kinds.items() if kind is None or issubclass(kind, BaseModel))

    @classmethod
    def same_value(cls, name: str, one: Any, other: Any) -> bool:
        """Return whether a field that holds one value reads two raw ones alike, or refuses both."""
        kind = _kinds(cls)[name]

        def read_or_none(value: Any) -> tuple[Any, ...]:
            try:
                return (read(value, kind.python or str, kind.optional, kind.default, kind.declaration),)
            except ValueError:
                return ()

        return read_or_none(one) == read_or_none(other)

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        named: dict[str, Any] = {}
        for typed, value in data.items():
            name = cls.resolve(str(typed)) or str(typed)
            # a second spelling of the same field must not win silently: it is refused as unknown
            named[f"{typed} " if name in named else name] = value
        return named

    @field_validator("*", mode="before")
    @classmethod
    def _read(cls, value: Any, info: ValidationInfo) -> Any:
        kind = _kinds(cls)[str(info.field_name)]
        if kind.python is None:
            return value
        if issubclass(kind.python, BaseModel):
            return {} if is_nothing(value) and not kind.optional else value
        try:
            return read(value, kind.python, kind.optional, kind.default, kind.declaration)
        except ValueError as problem:
            raise refusal(str(problem)) from None


@cache
def _declarations(cls: type[Declared]) -> dict[str, Declaration]:
    extras = {name: info.json_schema_extra for name, info in cls.model_fields.items()}
    return {name: extra for name, extra in extras.items() if isinstance(extra, Declaration)}


@cache
def _spellings(cls: type[Declared]) -> dict[str, frozenset[str]]:
    return {
        name: spellings(known.label, known.relion_label) | {fold(name)}
        for name, known in _declarations(cls).items()
    }


@cache
def _kinds(cls: type[Declared]) -> dict[str, _Kind]:
    return {name: _kind(cls, name, known) for name, known in _declarations(cls).items()}


def _kind(cls: type[Declared], name: str, known: Declaration) -> _Kind:
    info = cls.model_fields[name]
    arms = [arm for arm in get_args(info.annotation) if arm is not NoneType]
    optional = NoneType in get_args(info.annotation)
    bare = arms[0] if optional and len(arms) == 1 else info.annotation
    if get_origin(bare) is Literal:
        bare = str
    default = None if info.default is PydanticUndefined else info.default
    return _Kind(bare if isinstance(bare, type) else None, optional, default, known)


class Section(Declared):
    """One tab of a job."""


class Compute(Section):
    """Device, threads, workers, seed and precision."""

    device: str = own_field(
        "Device",
        "auto",
        help="auto (a GPU if there is one), cpu, cuda, or cuda:1 for the second GPU.",
    )
    threads: int | None = own_field(
        "Threads",
        None,
        low=1,
        high=1024,
        help="CPU threads per worker; none: all cores, divided among the workers.",
    )
    workers: int = own_field(
        "Workers",
        1,
        low=1,
        high=1024,
        help="AutoPick and Extract: number of workers that share the micrographs.",
    )
    seed: int = own_field(
        "Seed", 0, low=0, help="The same seed, input, device and number of threads give identical output."
    )
    precision: Literal["single", "double"] = own_field(
        "Precision",
        "single",
        choices=("single", "double"),
        help="double is slower and meant for comparisons only.",
    )

    @field_validator("device")
    @classmethod
    def _known_device(cls, device: str) -> str:
        kind, colon, index = device.partition(":")
        if device in {"auto", "cpu", "cuda"} or (kind == "cuda" and colon and index.isdecimal()):
            return device
        raise refusal(f"'{device}' is not a device; allowed: auto, cpu, cuda, cuda:0, cuda:1 ...")


class JobSpec(Declared):
    """The complete, immutable settings of a job, independent of the file system.

    Attributes
    ----------
    helical : tuple of HelicalField
        RELION's fields of this job type that cryoflow refuses.
    """

    helical: ClassVar[tuple[HelicalField, ...]] = ()

    job: str = own_field("Job")
    number: int | None = own_field(
        "Number", None, low=1, high=999999, help="Number of the job directory; none: the next free one."
    )
    alias: str | None = own_field(
        "Alias", None, help="A descriptive second name for the job directory, e.g. template_based."
    )
    star_style: Literal["input", "3.0", "3.1"] = own_field(
        "STAR style",
        "input",
        choices=("input", "3.0", "3.1"),
        help="Format of the tables written: that of the input, RELION 3.0, or RELION 3.1 with optics groups.",
    )
    objective: str | None = own_field(
        "Objective",
        None,
        help="Column of a sweep's table to maximise, e.g. f1, or to minimise, e.g. -seconds.",
    )
    compute: Compute = section("Compute", Compute)

    @classmethod
    def sections(cls) -> dict[str, type[Section]]:
        """Return the section models by name, in the order of the tutorial's tabs, compute last."""
        kinds = {name: kind.python for name, kind in _kinds(cls).items()}
        found = {name: kind for name, kind in kinds.items() if kind and issubclass(kind, Section)}
        return {name: found[name] for name in sorted(found, key=lambda name: name == "compute")}

    def broken_rules(self) -> Iterator[Broken]:
        """Yield every rule between fields that this spec breaks."""
        yield from ()

    @field_validator("alias")
    @classmethod
    def _usable_alias(cls, alias: str | None) -> str | None:
        refused = alias is not None and (
            not all(c.isalnum() or c in "_.+-" for c in alias) or alias[0] in ".-" or alias.startswith("job")
        )
        if refused:
            raise refusal(
                f"'{alias}' cannot name a directory; use letters, digits and _, and do not start with 'job'"
            )
        return alias

    @model_validator(mode="after")
    def _rules_hold(self) -> JobSpec:
        broken = tuple(self.broken_rules())
        if broken:
            text = "; ".join(f"{rule.fields[0]}: {rule.message}" for rule in broken)
            raise PydanticCustomError("broken_rules", "{text}", {"text": text, "broken": broken})
        return self
