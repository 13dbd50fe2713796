"""One field, declared once: everything else (YAML, tables, schema, RELION's files) is derived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from pydantic import Field
from pydantic.config import JsonDict

FileKind: TypeAlias = Literal[
    "micrographs",
    "coordinates",
    "particles",
    "averages",
    "map",
    "model",
    "optimiser",
    "scores",
    "score model",
]
"""Kind of the file that a field takes. A field may also name a job, meaning its file of that kind: see
`cryoflow.launch.inputs`."""


class Off(NamedTuple):
    """Numbers by which RELION means "switched off"; None inside cryoflow."""

    written: float
    limit: float
    inclusive: bool

    def means(self, value: float) -> bool:
        """Return whether a number means "off"."""
        return value < self.limit or (self.inclusive and value == self.limit)


NOT_POSITIVE = Off(-1.0, 0.0, True)
NEGATIVE = Off(-1.0, 0.0, False)
VERY_NEGATIVE = Off(-999.0, -900.0, True)


@dataclass(frozen=True)
class Declaration:
    """Declaration of a field besides its Python type.

    Attributes
    ----------
    label : str
        The tutorial's label.
    relion_label : str
        RELION's own label, as its ``run.job`` files spell it.
    key : str or None
        RELION's key; None for cryoflow's own fields.
    unit : str
        Unit, or an empty string.
    help : str
        One line for the user.
    low, high : float or None
        Range of a number, both ends included.
    above : float or None
        Instead of `low`: an exclusive lower limit.
    even : bool
        Whether a number must be even.
    off : Off or None
        Which numbers mean "switched off".
    choices : tuple of str
        The allowed values, if not empty.
    fixed : str
        If not empty, only the default is accepted, for this reason.
    takes : str or None
        The kind of file that a field names; None for a field that names none.
    """

    label: str
    relion_label: str
    key: str | None
    unit: str = ""
    help: str = ""
    low: float | None = None
    above: float | None = None
    high: float | None = None
    even: bool = False
    off: Off | None = None
    choices: tuple[str, ...] = ()
    fixed: str = ""
    takes: FileKind | None = None

    def __call__(self, schema: JsonDict) -> None:
        """Add to the JSON schema what Python's types cannot express."""
        if self.key:
            schema["x-relion-key"] = self.key
        if self.unit:
            schema["x-unit"] = self.unit
        if self.low is not None and self.off is None:
            schema["minimum"] = self.low
        if self.above is not None and self.off is None:
            schema["exclusiveMinimum"] = self.above
        if self.high is not None:
            schema["maximum"] = self.high
        if self.even:
            schema["multipleOf"] = 2
        if self.choices:
            schema["enum"] = list(self.choices)

    @property
    def range(self) -> str:
        """The range as text, e.g. ``> 0``, ``0 to 1``, ``>= 2, even``."""
        if self.choices:
            return ", ".join(self.choices)
        if self.low is not None and self.high is not None:
            text = f"{self.low:g} to {self.high:g}"
        else:
            limits = ((">", self.above), (">=", self.low), ("<=", self.high))
            text = ", ".join(f"{sign} {limit:g}" for sign, limit in limits if limit is not None)
        return text + (", even" if self.even else "")


def field(relion_label: str, key: str | None, default: Any = ..., *, label: str = "", **known: Any) -> Any:
    """Declare a field of a section.

    Parameters
    ----------
    relion_label : str
        RELION's label; without its trailing colon it is also the tutorial's, unless `label` says otherwise.
    key : str or None
        RELION's key.
    default : optional
        RELION's default in cryoflow's terms (None for "off"); a field without one must be given.
    **known
        The other attributes of `Declaration`.
    """
    shown = label or relion_label.rstrip(" :")
    declaration = Declaration(label=shown, relion_label=relion_label, key=key, **known)
    return Field(
        default,
        serialization_alias=shown,
        title=shown,
        description=declaration.help,
        json_schema_extra=declaration,
    )


def own_field(label: str, default: Any = ..., **known: Any) -> Any:
    """Declare a field of cryoflow's own, which RELION does not know; see `field`."""
    return field(label, None, default, **known)


def positive_or_off(relion_label: str, key: str | None, default: float | None = None, **known: Any) -> Any:
    """Declare a number above 0, or from ``low`` on, that is switched off (None) by RELION's -1, by 0, or by
    none; see `field`."""
    above = None if "low" in known else 0
    return field(relion_label, key, default, off=NOT_POSITIVE, above=above, **known)


def section(heading: str, tab: type, *, relion_heading: str = "") -> Any:
    """Declare a tab of a job, described by its docstring; if left out, it has its defaults."""
    relion_heading = relion_heading or heading
    help = str(tab.__doc__)
    return Field(
        default_factory=dict,
        validate_default=True,
        serialization_alias=heading,
        title=heading,
        description=help,
        json_schema_extra=Declaration(label=heading, relion_label=relion_heading, key=None, help=help),
    )
