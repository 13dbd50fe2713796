"""YAML texts of a few bytes that stand for more than any memory holds."""

import time
from pathlib import Path

import pytest

from cryoflow.errors import CryoflowError
from cryoflow.launch.launchers import read_preset
from cryoflow.project.record import RECORD, read_record
from cryoflow.spec.yamltext import parse_yaml
from cryoflow.yaml_limits import YamlLimit, check_yaml

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
BOMBS = {
    "laughs": LAUGHS,
    "deep lists": "a: " + "[" * 5000 + "]" * 5000,
    "deep mappings": "a: " + "{a: " * 5000 + "}" * 5000,
    "deep dashes": "- " * 5000,
    "questions": "? " * 5000,
    "many keys": "".join(f"k{number}: 1\n" for number in range(200_000)),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_refused_at_once(tmp_path: Path, bomb: str) -> None:
    start = time.process_time()
    (problem,) = parse_yaml(BOMBS[bomb], "a.yaml").problems
    assert "more than" in str(problem) or "nested deeper" in str(problem)
    preset = tmp_path / "preset.yaml"
    preset.write_text(BOMBS[bomb])
    with pytest.raises(CryoflowError, match="preset"):
        read_preset(str(preset))
    (tmp_path / RECORD).write_text(BOMBS[bomb])
    with pytest.raises(CryoflowError, match="is no record of a job"):
        read_record(tmp_path)
    assert time.process_time() - start < 10


def test_merge_keys_are_refused_where_they_would_be_followed() -> None:
    with pytest.raises(YamlLimit, match="merge key"):
        check_yaml("a: &a {x: 1}\nb: {<<: *a}\n")
    check_yaml("a: '<<'\n")


def test_aliases_count_as_often_as_they_are_used() -> None:
    text = "a: &a [1, 2, 3]\nb: [*a, *a]\n"  # a mapping, 2 keys, a list of 4, and a list of 2 * 4
    check_yaml(text, most=16)
    with pytest.raises(YamlLimit):
        check_yaml(text, most=11)
