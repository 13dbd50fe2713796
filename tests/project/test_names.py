"""What jobs are called."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cryoflow.project.names import is_job_name, job_directories, job_name, job_number, name_of, without_alias


@pytest.mark.parametrize(("number", "name"), [(7, "job007"), (10, "job010"), (1234, "job1234")])
def test_numbers_and_names(number: int, name: str) -> None:
    assert job_name(number) == name
    assert job_number(name) == job_number(f"AutoPick/{name}") == number
    assert is_job_name(name)


@pytest.mark.parametrize("name", ["job", "job01", "job010b", "myjob010", ""])
def test_other_names(name: str) -> None:
    assert not is_job_name(name)


def test_directories_and_aliases(tmp_path: Path) -> None:
    for name in ("AutoPick/job010", "AutoPick/job010_old", "Sort/job1000", "Sort/after_autopick"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "AutoPick" / "best").symlink_to("job010")
    assert {name_of(path) for path in job_directories(tmp_path)} == {"AutoPick/job010", "Sort/job1000"}
    assert [name_of(path) for path in job_directories(tmp_path, "Sort")] == ["Sort/job1000"]
    assert without_alias(tmp_path, "AutoPick/best") == "AutoPick/job010"
    for name in ("AutoPick/job010", "Sort/after_autopick", "Sort/nothing"):
        assert without_alias(tmp_path, name) == name


def test_a_folder_that_is_removed_while_jobs_are_listed_holds_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RELION's lock is a directory of the project, made and removed by every process that registers a job."""
    (tmp_path / "Select" / "job014").mkdir(parents=True)
    lock = tmp_path / ".relion_lock"
    lock.mkdir()

    def after_removal(read: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(folder: Any) -> Any:
            if Path(folder) == lock:
                lock.rmdir()
            return read(folder)

        return wrapped

    for name in ("scandir", "listdir"):
        monkeypatch.setattr(os, name, after_removal(getattr(os, name)))
    assert [name_of(path) for path in job_directories(tmp_path)] == ["Select/job014"]
    assert not lock.exists()
