"""Every field of RELION 3.0 stands once, under the name that follows from its label."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from helpers.smallest_specs import SMALLEST

from cryoflow.errors import SpecError
from cryoflow.spec import SPEC_CLASSES, parse_spec
from cryoflow.spec.describe import field_rows, json_schema
from cryoflow.spec.helix import REFUSAL
from cryoflow.spec.names import fold, spellings
from cryoflow.spec.relion import relion_job_options
from cryoflow.spec.values import default_text

FACTS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "data" / "relion_fields.json").read_text()
)
JOBS = pytest.mark.parametrize("job", list(SPEC_CLASSES))
WORDS_FIRST = {"reference_2d", "reference_3d", "angular_sampling_3d"}


def declared(job: str) -> dict[str, tuple[str, Any]]:
    return {
        known.key: (name, known)
        for section in SPEC_CLASSES[job].sections().values()
        for name, known in section.declarations().items()
        if known.key
    }


@JOBS
def test_every_key_once_with_relions_label(job: str) -> None:
    keys = Counter(
        known.key
        for section in SPEC_CLASSES[job].sections().values()
        for known in section.declarations().values()
        if known.key
    )
    expected = {field["key"]: field["label"] for field in FACTS[job] if not field["helical"]}
    assert keys == dict.fromkeys(expected, 1)
    assert {key: known.relion_label for key, (_, known) in declared(job).items()} == expected


@JOBS
def test_helical_keys_are_known_with_label_and_default(job: str) -> None:
    facts = {field["key"]: field["label"] for field in FACTS[job] if field["helical"]}
    assert {known.key: known.relion_label for known, _ in SPEC_CLASSES[job].helical} == facts


@JOBS
def test_names_follow_from_labels(job: str) -> None:
    for name, known in declared(job).values():
        if name not in WORDS_FIRST:
            without_unit = re.sub(r"\s*\([^)]*\)", "", known.label.replace("I/O", "IO"))
            assert name == fold(without_unit).replace(" ", "_")


@JOBS
def test_defaults_are_relions(job: str) -> None:
    options = dict(relion_job_options(parse_spec({"job": job, **SMALLEST[job]})))
    given = {"m.star", "r.star", "p.star", "coords_suffix_autopick.star"}
    for field in FACTS[job]:
        value, default = options.pop(field["label"]), field["default"]
        if value not in given:
            assert value == (default_text(default) if default != "" else "").removesuffix("."), field
    assert options == {}


@JOBS
def test_no_two_fields_of_a_section_share_a_spelling(job: str) -> None:
    for model in (SPEC_CLASSES[job], *SPEC_CLASSES[job].sections().values()):
        forms = Counter(
            form
            for name, known in model.declarations().items()
            for form in spellings(known.label, known.relion_label) | {fold(name)}
        )
        assert max(forms.values()) == 1


@JOBS
def test_table_has_every_field_with_help(job: str) -> None:
    rows = field_rows(job)
    assert [row.key for row in rows if row.key] == list(declared(job))
    assert all(row.help.endswith(".") and len(row.help) < 110 for row in rows)
    assert all(row.unit == "" or row.unit.isalpha() for row in rows)
    assert rows[0].tab == "I/O"
    assert rows[-1].tab == "Compute"


def test_rows_of_the_table() -> None:
    rows = {row.name: row for row in field_rows("AutoPick")}
    threshold = rows["picking_threshold"]
    assert threshold[:7] == (
        "autopicking",
        "Picking threshold",
        "picking_threshold",
        "threshold_autopick",
        "",
        "0.05",
        ">= 0",
    )
    assert rows["input_micrographs_for_autopick"].default == "required"
    assert rows["maximum_stddev_noise"].default == "1.1"
    assert rows["mask_diameter"].default == "-"
    assert rows["shrink_factor"].range == "0 to 1"
    assert {row.name: row.range for row in field_rows("Extract")}["particle_box_size"] == ">= 2, even"


@JOBS
def test_schema_is_titled_by_labels(job: str) -> None:
    schema = json_schema(job)
    json.dumps(schema)
    titles = {
        field["title"]
        for model in schema["$defs"].values()
        for field in model["properties"].values()
        if "title" in field
    }
    assert {known.label for _, known in declared(job).values()} <= titles
    assert schema["additionalProperties"] is False


def test_schema_of_one_field() -> None:
    threshold = json_schema("AutoPick")["$defs"]["Autopicking"]["properties"]["shrink_factor"]
    assert threshold == {
        "default": 1.0,
        "description": "0 downscales micrographs to the low-pass filter (fast, usually as good); "
        "1 keeps full size.",
        "maximum": 1,
        "minimum": 0,
        "title": "Shrink factor",
        "type": "number",
        "x-relion-key": "shrink",
    }


@pytest.mark.parametrize(
    ("job", "known"), [(job, known) for job, cls in SPEC_CLASSES.items() for known, _ in cls.helical], ids=str
)
def test_helical_fields_are_refused(job: str, known: Any) -> None:
    for name in (known.label, known.relion_label, known.key):
        for tree in (SMALLEST[job] | {"compute": {name: 1}}, SMALLEST[job] | {name: 1}):
            with pytest.raises(SpecError) as caught:
                parse_spec({"job": job, **tree})
            assert len(caught.value.problems) == 1
            assert caught.value.problems[0].endswith(f"{name}: {REFUSAL}")


def test_helix_tab_is_refused() -> None:
    with pytest.raises(SpecError, match=r"^spec: Helix: helical processing is not part of cryoflow"):
        parse_spec({"job": "AutoPick", **SMALLEST["AutoPick"], "Helix": {"Tube diameter (A)": 200}})
