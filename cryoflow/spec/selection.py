"""What RELION's user does by clicking in the display window, declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Tag, field_validator, model_validator

from cryoflow.spec.base import Declared, Section
from cryoflow.spec.field import field
from cryoflow.spec.values import is_nothing, read_number, refusal


class TopClasses(Declared):
    """The best classes by a column of the model's class table."""

    top: int = field("Top", None, low=1, help="How many classes to keep.")
    by: str = field("By", None, "rlnClassDistribution", help="Column of the class table that ranks them.")
    ascending: bool = field("Ascending", None, False, help="Yes when low values are the good ones.")


class TopRows(Declared):
    """The best particles or micrographs by a column."""

    n: int = field("N", None, low=1, help="How many rows to keep.")
    by: str = field("By", None, help="Column that ranks them.")
    ascending: bool = field("Ascending", None, False, help="Yes when low values are the good ones.")


class Bounds(Declared):
    """Lowest and highest value kept, both included; given as they are or as quantiles of the column."""

    min: float | None = field("Min", None, None, help="Lowest value kept.")
    max: float | None = field("Max", None, None, help="Highest value kept.")
    min_quantile: float | None = field(
        "Min quantile", None, None, low=0, high=1, help="0.2 drops the fifth of the rows with lower values."
    )
    max_quantile: float | None = field(
        "Max quantile", None, None, low=0, high=1, help="0.8 drops the fifth of the rows with higher values."
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
    """Conditions that all must hold; none given: everything is kept."""

    classes: Classes | None = field(
        "Classes",
        None,
        None,
        help="Class numbers, e.g. [1, 4, 7], or the best ones: {top: 10, by: rlnClassDistribution}.",
    )
    class_score_min: float | None = field(
        "Class score min",
        None,
        None,
        low=0,
        high=1,
        help="Least score of a class: about the part of its particles that are whole particles, e.g. 0.5.",
    )
    q_value_max: float | None = field(
        "Q-value max",
        None,
        None,
        low=0,
        high=1,
        help="Largest q-value, e.g. 0.05: some 5 % of what is kept is noise, contaminants not counted.",
    )
    probability_min: float | None = field(
        "Probability min",
        None,
        None,
        low=0,
        high=1,
        help="Least chance of being a whole particle, e.g. 0.5, from Sort's learnt scores.",
    )
    scores: str | None = field(
        "Scores",
        None,
        None,
        help="Table with q-values or probabilities; none: particles_scores.star beside the input.",
    )
    columns: dict[str, Bounds] | None = field(
        "Columns",
        None,
        None,
        help="Cuts on any column, e.g. {rlnParticleSelectZScore: {max: 1.0}}, or {min_quantile: 0.2}.",
    )
    top: TopRows | None = field(
        "Top", None, None, help="The best rows, e.g. {n: 5000, by: rlnAutopickFigureOfMerit}."
    )
    above: str | None = field(
        "Above",
        None,
        None,
        help="This image and all that come before it in the sorted order, e.g. 000012@Extract/job012/a.mrcs.",
    )
    sort_by: str = field(
        "Sort by", None, "rlnParticleSelectZScore", help="Column that orders the images for 'above'."
    )
    ascending: bool = field(
        "Ascending", None, True, help="Whether low values come first in that order, as for Z-scores."
    )
    rows_in: str | None = field(
        "Rows in",
        None,
        None,
        help="A STAR or text file that names the rows to keep: images, micrographs, or micrograph, x and y.",
    )
    invert: bool = field("Invert", None, False, help="Yes keeps what would be dropped, and drops the rest.")

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
