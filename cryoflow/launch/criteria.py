"""Criteria of a continued selection: criteria given now replace the recorded ones."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from cryoflow.errors import SpecError
from cryoflow.project.diff import flat
from cryoflow.spec import JobSpec, Select, spec_dump
from cryoflow.spec.overrides import resolve_override

#: Fields that switch a criterion of RELION's tabs on, with its parameters.
_SWITCHES = {
    "subsets.select_based_on_metadata_values": (
        "subsets.metadata_label_for_subset_selection",
        "subsets.minimum_metadata_value",
        "subsets.maximum_metadata_value",
    ),
    "subsets.select_on_image_statistics": (
        "subsets.metadata_label_for_images",
        "subsets.sigma_value_for_discarding_images",
    ),
    "duplicates.remove_duplicates": ("duplicates.minimum_inter_particle_distance",),
}
_CONDITIONS = tuple(
    f"selection.{name}"
    for name in (
        "classes", "class_score_min", "q_value_max", "probability_min", "columns", "top", "above", "rows_in",
    )
)  # fmt: skip
_OFF = {"-", "no", "none", "null", "false", ""}


class Replaced(NamedTuple):
    """Criteria of a record that are replaced.

    Attributes
    ----------
    overrides : list of str
        Switch them off.
    texts : list of str
        The recorded criteria, e.g. ``class_score_min=0.5``.
    """

    overrides: list[str]
    texts: list[str]


def replaced_criteria(recorded: JobSpec, overrides: Sequence[str]) -> Replaced:
    """Return the recorded criteria to drop because the overrides give one that the record does not have.

    New values for a recorded criterion, and settings that are not criteria, keep the rest.
    """
    if not isinstance(recorded, Select):
        return Replaced([], [])
    values = flat(spec_dump(recorded))
    given = _criteria(overrides)
    named = (_first_level(name) for name, value in values.items() if value is not None and value is not False)
    had = [name for name in dict.fromkeys(named) if name in (*_CONDITIONS, *_SWITCHES)]
    if not given - set(had):
        return Replaced([], [])
    old = [name for name in had if name not in given]
    texts = [_text(name, values) for name in old]
    if old and values["selection.invert"] and not any("invert" in override for override in overrides):
        old.append("selection.invert")
        texts.append("invert=yes")
    return Replaced([f"{name}={'-' if name in _CONDITIONS else 'no'}" for name in old], texts)


def _criteria(overrides: Sequence[str]) -> set[str]:
    """Return the criteria among overrides."""
    owners = {field: switch for switch, fields in _SWITCHES.items() for field in (switch, *fields)}
    found = set[str]()
    for override in overrides:
        with suppress(SpecError):  # reported where it is applied
            name, _, value = resolve_override(Select, override).partition("=")
            criterion = owners.get(name, _first_level(name))
            if criterion in {*_CONDITIONS, *_SWITCHES} and value.strip().lower() not in _OFF:
                found.add(criterion)
    return found


def _first_level(name: str) -> str:
    """Return ``selection.columns`` for ``selection.columns.rlnCoordinateX.max``."""
    return ".".join(name.split(".")[:2])


def _text(name: str, values: dict[str, object]) -> str:
    found = {
        key.removeprefix(f"{name}."): value
        for key, value in values.items()
        if key.startswith(f"{name}.") and value is not None
    }
    value = found or values.get(name)
    if name in _SWITCHES:
        more = (f"{field.partition('.')[2]}={values[field]}" for field in _SWITCHES[name])
        return f"{name.partition('.')[2]}=yes ({', '.join(more)})"
    return f"{name.partition('.')[2]}={value}"
