"""The fields of a job type: the table of `cryoflow fields`, and a JSON schema."""

from __future__ import annotations

from typing import Any, NamedTuple

from cryoflow.spec.jobs import spec_class
from cryoflow.spec.values import default_text


class FieldRow(NamedTuple):
    """One field, as text; `default` is "required" where a value must be given."""

    tab: str
    label: str
    name: str
    key: str
    unit: str
    default: str
    range: str
    help: str


def field_rows(job: str) -> list[FieldRow]:
    """List the fields of a job type in the order of the tutorial's table, cryoflow's own last."""
    cls = spec_class(job)
    rows = []
    for section, model in cls.sections().items():
        tab = cls.declarations()[section].label
        for name, known in model.declarations().items():
            info = model.model_fields[name]
            default = "required" if info.is_required() else default_text(info.default)
            rows.append(
                FieldRow(
                    tab, known.label, name, known.key or "", known.unit, default, known.range, known.help
                )
            )
    return rows


def json_schema(job: str) -> dict[str, Any]:
    """Return the JSON schema (2020-12) of a job's spec: names as properties, labels as titles."""
    schema = spec_class(job).model_json_schema(by_alias=False)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
