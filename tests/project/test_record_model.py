"""Records of this and earlier versions, and those that cannot be read, for each command that meets them."""

import os
from pathlib import Path

import pytest
from helpers.launch_project import cryoflow, make_project, select_spec

from cryoflow.errors import FileError
from cryoflow.launch.sweep.folder import RECORD as SWEEP_RECORD
from cryoflow.launch.sweep.folder import read_sweep
from cryoflow.project.jobs import list_jobs
from cryoflow.project.record import RECORD, read_record, write_record

DAMAGED = {
    "empty": b"",
    "half": b"command: 'cryo",
    "list": b"- 1\n",
    "binary": b"\xff\xfe\0\0",
    "number for a list": b"inputs: 3\nspec:\n  job: Sort\n",
    "entries without a path": b"inputs:\n- size: 3\nspec:\n  job: Sort\n",
    "a later form": b"format: 99\nspec:\n  job: Sort\n",
    "no job": b"spec:\n  io: {}\n",
    "deep": b"spec: " + b"[" * 3000 + b"]" * 3000,
    "date": b"command: 2026-99-99\nspec:\n  job: Sort\n",
    "null": b'command: "a\\0b"\nspec:\n  job: Sort\n',
}


@pytest.fixture
def two_jobs(tmp_path: Path, no_pictures: None) -> Path:
    project = make_project(tmp_path / "project")
    for number, most in ((14, 0.5), (15, 0.2)):
        spec = select_spec(tmp_path / "spec.yaml", most, number=number)
        assert cryoflow(project, "run", spec, "device=cpu") == 0
    return project


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_record_is_one_row_and_one_line(
    two_jobs: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = two_jobs / "Select" / "job014" / RECORD
    path.write_bytes(DAMAGED[what])
    capsys.readouterr()
    assert cryoflow(two_jobs, "status") == 0
    told = capsys.readouterr()
    rows = {
        line.split()[-0] if line[0] == "S" else line.split()[1]: line for line in told.out.splitlines()[1:]
    }
    assert "unreadable" in rows["Select/job014"] and "record cannot be read" in rows["Select/job014"]
    assert "succeeded" in rows["Select/job015"] and "1 particles" in rows["Select/job015"]
    assert told.err.count("\n") == 1 and str(path) in told.err
    assert cryoflow(two_jobs, "show", "Select/job015") == 0
    capsys.readouterr()
    assert cryoflow(two_jobs, "show", "Select/job014") != 0
    assert str(path) in capsys.readouterr().err


@pytest.mark.parametrize("name", [RECORD, "run.out"])
def test_a_pipe_in_place_of_a_file_does_not_hang(
    two_jobs: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = two_jobs / "Select" / "job014" / name
    path.unlink()
    os.mkfifo(path)
    assert cryoflow(two_jobs, "status") == 0
    assert ("pipe" in capsys.readouterr().err) == (name == RECORD)
    assert cryoflow(two_jobs, "run", "--continue", "Select/job014") != 0


def test_status_reads_a_record_anew_when_it_has_changed(two_jobs: Path) -> None:
    directory = two_jobs / "Select" / "job015"
    assert list_jobs(two_jobs)[-1].record["counts"]["particles"] == 1
    record = read_record(directory)
    assert list_jobs(two_jobs)[-1].record == record  # from its copy
    assert (two_jobs / ".cryoflow" / "records" / "Select" / "job015.json").exists()
    write_record(directory, record | {"counts": {"particles": 7}})
    assert list_jobs(two_jobs)[-1].record["counts"]["particles"] == 7
    copy = two_jobs / ".cryoflow" / "records" / "Select" / "job015.json"
    copy.write_text('{"state": [1, 2, 3], "record": ' + "[" * 100_000)
    assert list_jobs(two_jobs)[-1].record["counts"]["particles"] == 7


def test_names_that_are_not_utf8_come_back(tmp_path: Path) -> None:
    name = os.fsdecode(b"Micrographs/caf\xe9.mrc")
    entry = {"path": name, "size": 3, "sha256": "ab"}
    write_record(tmp_path, {"spec": {"job": "Sort"}, "inputs": [entry]})
    assert read_record(tmp_path)["inputs"] == [entry]


def test_sweep_records(tmp_path: Path) -> None:
    assert read_sweep(tmp_path) == {}
    path = tmp_path / SWEEP_RECORD
    path.write_text("command: cryoflow run\njob: Select\nstatus: ended\n")  # of an early version
    assert read_sweep(tmp_path)["jobs"] == []
    for text in ("jobs: [{code: 9, job: a}]\njob: Select\n", "a: [", "job: Select\npoints: 3\n"):
        path.write_text(text)
        with pytest.raises(FileError, match="is no record of a sweep"):
            read_sweep(tmp_path)
