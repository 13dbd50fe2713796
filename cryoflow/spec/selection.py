"""Declared conditions, in place of clicks in RELION's display window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Tag, field_validator, model_validator

from cryoflow.spec.base import Declared, Section
from cryoflow.spec.field import own_field
from cryoflow.spec.values import is_nothing, read_number, refusal


class TopClasses(Declared):
    """The best classes by a column of the model's class table."""

    top: int = own_field("Top", low=1, help="How many classes to keep.")
    by: str = own_field("By", "rlnClassDistribution", help="Column of the class table that ranks them.")
    ascending: bool = own_field("Ascending", False, help="Yes if low values are better.")


class TopRows(Declared):
    """The best particles or micrographs by a column."""

    n: int = own_field("N", low=1, help="How many rows to keep.")
    by: str = own_field("By", help="Column that ranks them.")
    ascending: bool = own_field("Ascending", False, help="Yes if low values are better.")


class Bounds(Declared):
    """Lowest and highest value kept, both included; as values or as quantiles of the column."""

    min: float | None = own_field("Min", None, help="Lowest value kept.")
    max: float | None = own_field("Max", None, help="Highest value kept.")
    min_quantile: float | None = own_field(
        "Min quantile", None, low=0, high=1, help="E.g. 0.2 drops the lowest fifth of the rows."
    )
    max_quantile: float | None = own_field(
        "Max quantile", None, low=0, high=1, help="E.g. 0.8 drops the highest fifth of the rows."
    )

    @model_validator(mode="after")
    def _some_range(self) -> Bounds:
        if all(getattr(self, name) is None for name in self.declarations()):
            raise refusal("give min, or max, or both")
        pairs = (("min", self.min, self.max), ("min_quantile", self.min_quantile, self.max_quantile))
        for name, low, high in pairs:
            if low is not None and high is not None and low > high:
                raise refusal(f"{name} ({low:g}) exceeds {name.replace('min', 'max')} ({high:g})")
        return self


def _tag(value: object) -> str:
    return "<top>" if isinstance(value, Mapping | TopClasses) else "<numbers>"


Classes = Annotated[
    Annotated[list[int], Tag("<numbers>")] | Annotated[TopClasses, Tag("<top>")], Discriminator(_tag)
]


class Selection(Section):
    """Conditions that must all hold; without any, everything is kept."""

    classes: Classes | None = own_field(
        "Classes",
        None,
        help="Class numbers, e.g. [1, 4, 7], or the best ones: {top: 10, by: rlnClassDistribution}.",
    )
    class_score_min: float | None = own_field(
        "Class score min",
        None,
        low=0,
        high=1,
        help="Minimum class score, roughly the fraction of its particles that are intact, e.g. 0.5.",
    )
    q_value_max: float | None = own_field(
        "Q-value max",
        None,
        low=0,
        high=1,
        help="Maximum q-value, e.g. 0.05: about 5 % of what is kept is noise, not counting contaminants.",
    )
    probability_min: float | None = own_field(
        "Probability min",
        None,
        low=0,
        high=1,
        help="Minimum probability of being an intact particle, e.g. 0.5, from Sort's learnt scores.",
    )
    scores: str | None = own_field(
        "Scores",
        None,
        takes="scores",
        help="Table with q-values or probabilities; none: particles_scores.star next to the input.",
    )
    columns: dict[str, Bounds] | None = own_field(
        "Columns",
        None,
        help="Cuts on any column, e.g. {rlnParticleSelectZScore: {max: 1.0}}, or {min_quantile: 0.2}.",
    )
    top: TopRows | None = own_field(
        "Top", None, help="The best rows, e.g. {n: 5000, by: rlnAutopickFigureOfMerit}."
    )
    above: str | None = own_field(
        "Above",
        None,
        help="Keep this image and all before it in sorted order, e.g. 000012@Extract/job012/a.mrcs.",
    )
    sort_by: str = own_field(
        "Sort by", "rlnParticleSelectZScore", help="Column that orders the images for 'above'."
    )
    ascending: bool = own_field(
        "Ascending", True, help="Yes if low values come first in that order, as for Z-scores."
    )
    rows_in: str | None = own_field(
        "Rows in",
        None,
        takes="particles",
        help="STAR or text file that lists the rows to keep: images, micrographs, or micrograph, x and y.",
    )
    invert: bool = own_field("Invert", False, help="Yes keeps what would be dropped, and vice versa.")

    def has_conditions(self) -> bool:
        """Whether any condition is given."""
        names = self.declarations().keys() - {"scores", "sort_by", "ascending", "invert"}
        return any(getattr(self, name) is not None for name in names)

    @field_validator("classes", mode="before")
    @classmethod
    def _class_numbers(cls, value: Any) -> Any:
        if value is None or isinstance(value, Mapping | TopClasses):
            return value
        if not isinstance(value, list | tuple):
            value = [value]
        return _class_numbers(value)

    @field_validator("columns", mode="before")
    @classmethod
    def _column_names(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {str(name).removeprefix("_"): bounds for name, bounds in value.items()} or None

    @field_validator("top", mode="before")
    @classmethod
    def _top_of_what(cls, value: Any) -> Any:
        if value is None or isinstance(value, Mapping | TopRows):
            return value
        raise refusal(f"for classes: selection.classes.top={value}; for particles: selection.top.n={value}")

    # the last one declared is the first to run
    @field_validator("classes", "columns", "top", mode="before")
    @classmethod
    def _nothing_is_none(cls, value: Any) -> Any:
        return None if is_nothing(value) else value


def _class_numbers(values: list[object] | tuple[object, ...]) -> list[int]:
    try:
        numbers = [read_number(value) for value in values]
    except ValueError as problem:
        raise refusal(str(problem)) from None
    if not numbers or any(number < 1 or number != int(number) for number in numbers):
        raise refusal("give class numbers from 1, e.g. [1, 4, 7], or {top: 10, by: rlnClassDistribution}")
    if len(set(numbers)) < len(numbers):
        raise refusal("a class number is given twice")
    return [int(number) for number in numbers]
