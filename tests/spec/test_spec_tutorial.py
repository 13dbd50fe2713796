"""The shipped specs against the tutorial's tables, field by field, both ways."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cryoflow.spec import SPEC_CLASSES, load_spec, parse_spec, spec_dump
from cryoflow.spec.relion import relion_job_options

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "specs" / "tutorial").glob("[0-9]*.yaml"))
TABLES = json.loads((ROOT / "tests" / "data" / "tutorial_tables.json").read_text())
RELION = json.loads((ROOT / "tests" / "data" / "relion_fields.json").read_text())
OUR_OWN = {"job", "number", "alias", "selection"}
STEPS = pytest.mark.parametrize(
    ("table", "file"), list(zip(TABLES, FILES, strict=True)), ids=lambda v: getattr(v, "stem", "")
)


def written(default: Any) -> str:
    """RELION's default as its job files spell it."""
    if isinstance(default, bool):
        return "Yes" if default else "No"
    return re.sub(r"(?<=\d)\.0?$", "", str(default))


def test_names_of_the_files() -> None:
    assert FILES[0].name == "10_optimise_params.yaml"
    assert FILES[-1].name == "16_class2d_aftersort.yaml"


@STEPS
def test_file_reads_like_the_table(table: dict[str, Any], file: Path) -> None:
    tree = yaml.load(file.read_text(), Loader=yaml.BaseLoader)
    assert (int(tree["number"]), tree["job"], tree["alias"]) == (table["step"], table["job"], table["alias"])
    rows = [
        [tab, label, value]
        for tab, fields in tree.items()
        if tab not in OUR_OWN
        for label, value in fields.items()
    ]
    assert rows == table["fields"]


@STEPS
def test_spec_means_the_table_and_is_else_relions_default(table: dict[str, Any], file: Path) -> None:
    spec = load_spec(file)
    options = dict(relion_job_options(spec))
    model = SPEC_CLASSES[table["job"]]
    told = {}
    for tab, label, value in table["fields"]:
        section = model.resolve(tab)
        assert section is not None
        name = model.sections()[section].resolve(label)
        assert name is not None
        told[model.sections()[section].declarations()[name].relion_label] = value.strip("-") and value
    expected = {field["label"]: written(field["default"]) for field in RELION[table["job"]]} | told
    assert options == expected


@STEPS
def test_dump_reads_back(table: dict[str, Any], file: Path) -> None:
    spec = load_spec(file)
    dumped = json.loads(json.dumps(spec_dump(spec)))
    assert parse_spec(dumped) == spec
    assert spec_dump(parse_spec(dumped)) == dumped
    assert (spec.job, spec.number, spec.alias) == (table["job"], table["step"], table["alias"])


def test_selections_of_the_two_clicking_steps_are_declared_as_ours() -> None:
    for number in (14, 16):
        file = next(file for file in FILES if file.name.startswith(str(number)))
        text = file.read_text()
        assert "ours, not the tutorial's" in text
        assert "selection" in load_spec(file).model_fields_set
