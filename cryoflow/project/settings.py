"""Settings of a job that differ from the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cryoflow.project.diff import flat
from cryoflow.spec import SPEC_CLASSES


def changed_settings(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return dotted names and values of the fields that differ from their default.

    Parameters
    ----------
    spec : mapping
        Spec of a record; fields that this version does not know count as changed.
    """
    defaults = {
        f"{tab}.{name}": info.default
        for tab, section in SPEC_CLASSES[spec["job"]].sections().items()
        for name, info in section.model_fields.items()
    }
    return [
        (name, str(value))
        for name, value in flat(spec).items()
        if "." in name and defaults.get(name, ...) != value
    ]
