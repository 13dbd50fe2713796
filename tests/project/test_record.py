"""Records, markers and notes."""

import re
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from cryoflow.errors import FileError
from cryoflow.project.markers import FAILURE, SUCCESS, add_note, clear_markers, mark
from cryoflow.project.record import RECORD, read_record, write_record


def test_record_is_sorted_yaml_and_comes_back(tmp_path: Path) -> None:
    record = {
        "spec": {"job": "Sort", "alias": None},
        "counts": {"b": 2, "a": 1.5},
        "command": "cryoflow run å",
    }
    write_record(tmp_path, record)
    text = (tmp_path / RECORD).read_text(encoding="utf-8")
    keys = [line.split(":")[0] for line in text.splitlines() if not line.startswith(" ")]
    assert keys == sorted(keys) == ["command", "counts", "spec"]
    assert yaml.safe_load(text) == record
    found = read_record(tmp_path)
    assert {key: found[key] for key in record} == record
    assert (found["inputs"], found["failures"], found["sweep"]) == ([], [], None)  # of an earlier version
    write_record(tmp_path, record)
    assert (tmp_path / RECORD).read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("text", "why"), [(None, "no record"), ("a: [", "not readable as YAML"), ("a: 1", "spec: Field required")]
)
def test_records_that_are_none(tmp_path: Path, text: str | None, why: str) -> None:
    if text is not None:
        (tmp_path / RECORD).write_text(text)
    with pytest.raises(FileError, match=why):
        read_record(tmp_path)


def test_markers_replace_each_other_only_when_cleared(tmp_path: Path) -> None:
    mark(tmp_path, success=False)
    assert [path.name for path in tmp_path.iterdir()] == [FAILURE]
    clear_markers(tmp_path)
    mark(tmp_path, success=True)
    assert [path.name for path in tmp_path.iterdir()] == [SUCCESS]


def test_note_is_appended_to(tmp_path: Path) -> None:
    for command in ("cryoflow run a.yaml", "cryoflow run --continue Sort/job013"):
        add_note(tmp_path, command, datetime(2026, 1, 2, 3, 4, 5))
    text = (tmp_path / "note.txt").read_text()
    assert text.count(" ++++ Executing new job on Fri Jan  2 03:04:05 2026\n") == 2
    commands = re.findall(r"following command\(s\): \n(.*)\n \+\+\+\+ \n", text)
    assert commands == ["cryoflow run a.yaml", "cryoflow run --continue Sort/job013"]
