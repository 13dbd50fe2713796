"""Job directories: numbers, aliases, refusals."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from cryoflow.errors import CryoflowError
from cryoflow.project.directory import find_job_directory, make_job_directory


def _make(project: str) -> str:
    return make_job_directory(Path(project), "AutoPick").name


def test_first_number_is_one_and_types_share_one_row(tmp_path: Path) -> None:
    assert make_job_directory(tmp_path, "AutoPick") == tmp_path / "AutoPick" / "job001"
    assert make_job_directory(tmp_path, "Extract") == tmp_path / "Extract" / "job002"
    (tmp_path / "CtfFind" / "job1041").mkdir(parents=True)
    assert make_job_directory(tmp_path, "Sort").name == "job1042"


def test_next_number_follows_relions_counter(tmp_path: Path) -> None:
    (tmp_path / "default_pipeline.star").write_text("data_pipeline_general\n\n_rlnPipeLineJobCounter  23\n")
    assert make_job_directory(tmp_path, "Select").name == "job023"


def test_number_of_a_deleted_job_is_not_given_again(tmp_path: Path) -> None:
    make_job_directory(tmp_path, "Select").rmdir()
    assert make_job_directory(tmp_path, "Select").name == "job002"


def test_processes_never_get_the_same_number(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        names = list(pool.map(_make, [str(tmp_path)] * 24))
    assert sorted(names) == [f"job{number:03d}" for number in range(1, 25)]


def _name_files(project: str) -> str:
    directory = make_job_directory(
        Path(project), "AutoPick", fill=lambda new: (new / "mine").write_text("x") and None
    )
    return f"{directory.name} {(directory / 'mine').exists()}"


def test_processes_never_get_the_same_directory_with_its_files(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        names = list(pool.map(_name_files, [str(tmp_path)] * 12))
    assert sorted(names) == [f"job{number:03d} True" for number in range(1, 13)]
    assert len(list((tmp_path / "AutoPick").iterdir())) == 12


def test_directory_appears_with_its_files_or_not_at_all(tmp_path: Path) -> None:
    def fill(new: Path) -> None:
        (new / "first").touch()
        assert not (tmp_path / "Sort" / "job013").exists()
        raise ValueError

    with pytest.raises(ValueError):
        make_job_directory(tmp_path, "Sort", 13, fill=fill)
    assert list((tmp_path / "Sort").iterdir()) == []


def test_an_empty_directory_that_another_program_makes_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    theirs = tmp_path / "Sort" / "job013"

    def fill(new: Path) -> None:
        (new / "first").touch()
        theirs.mkdir()

    with pytest.raises(CryoflowError, match=r"^Sort/job013: exists already"):
        make_job_directory(tmp_path, "Sort", 13, fill=fill)
    assert list((tmp_path / "Sort").iterdir()) == [theirs] and list(theirs.iterdir()) == []


def test_fixed_number_and_alias(tmp_path: Path) -> None:
    directory = make_job_directory(tmp_path, "AutoPick", 10, "optimise_params")
    assert directory == tmp_path / "AutoPick" / "job010"
    link = tmp_path / "AutoPick" / "optimise_params"
    assert link.readlink() == Path("job010")
    assert link.resolve() == directory.resolve()
    for given in ("AutoPick/job010", "AutoPick/job010/", "AutoPick/optimise_params", directory):
        assert find_job_directory(tmp_path, given) == directory


@pytest.mark.parametrize("taken", ["AutoPick/job010", "Select/job010"])
def test_number_that_exists_is_refused(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).mkdir(parents=True)
    with pytest.raises(
        CryoflowError, match=f"^{taken}: exists already; .*--continue {taken} to replace its results$"
    ):
        make_job_directory(tmp_path, "AutoPick", 10)


def test_alias_that_exists_is_refused_and_a_dangling_one_replaced(tmp_path: Path) -> None:
    old = make_job_directory(tmp_path, "AutoPick", 10, "best")
    with pytest.raises(CryoflowError, match=r"^AutoPick/best: this alias belongs to job010"):
        make_job_directory(tmp_path, "AutoPick", 11, "best")
    assert not (tmp_path / "AutoPick" / "job011").exists()
    old.rmdir()
    make_job_directory(tmp_path, "AutoPick", 12, "best")
    assert (tmp_path / "AutoPick" / "best").readlink() == Path("job012")


def test_read_only_project_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(CryoflowError, match="the project is read-only, nothing was written"):
        make_job_directory(tmp_path, "AutoPick")
    assert list(tmp_path.iterdir()) == []


def test_absent_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CryoflowError, match="no such project directory"):
        make_job_directory(tmp_path / "absent", "AutoPick")


@pytest.mark.parametrize(("given", "why"), [("AutoPick/job077", "no such job directory"), ("x", "not a job")])
def test_directories_that_are_no_jobs(tmp_path: Path, given: str, why: str) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(CryoflowError, match=why):
        find_job_directory(tmp_path, given)
