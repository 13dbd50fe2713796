"""Errors of the machine end a job; they are never the fault of a micrograph."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from helpers.particle_project import BLOBS, extract_spec, make_project

from cryoflow.errors import MachineError
from cryoflow.launch.run import run_spec
from cryoflow.project.markers import FAILURE, SUCCESS
from cryoflow.project.record import read_record

WRITING = [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO]


def _fail_to_write(patch: pytest.MonkeyPatch, name: str, number: int) -> None:
    real = os.open

    def fake(path: Any, *more: Any, **named: Any) -> int:
        if name in os.fspath(path):
            raise OSError(number, os.strerror(number), path)
        return real(path, *more, **named)

    patch.setattr("cryoflow.files.atomic.os.open", fake)


def _fail_to_read(patch: pytest.MonkeyPatch, name: str, number: int) -> None:
    real = os.open

    def fake(path: Any, *more: Any, **named: Any) -> int:
        if Path(os.fsdecode(path)).name == name:
            raise OSError(number, os.strerror(number), path)
        return real(path, *more, **named)

    patch.setattr(os, "open", fake)


@pytest.mark.parametrize("number", WRITING)
@pytest.mark.parametrize(("job", "file"), [("AutoPick", "mic2_autopick"), ("Extract", "mic2")])
def test_what_cannot_be_written_ends_the_job_and_the_same_command_finishes_it(
    tmp_path: Path,
    no_pictures: None,
    capsys: pytest.CaptureFixture[str],
    job: str,
    file: str,
    number: int,
) -> None:
    project = make_project(tmp_path)
    spec = BLOBS if job == "AutoPick" else extract_spec()
    with pytest.MonkeyPatch.context() as patch:
        _fail_to_write(patch, f"{job}/job012/Movies/.{file}", number)
        outcome = run_spec(spec, project=project, quiet=False)
    assert (outcome.code, outcome.directory) == (1, f"{job}/job012")
    (line,) = capsys.readouterr().err.splitlines()
    assert os.strerror(number) in line and line.endswith("then give the same command again")
    assert (project / outcome.directory / FAILURE).exists()
    again = run_spec(spec, project=project)
    assert (again.code, again.directory) == (0, outcome.directory)
    assert (project / outcome.directory / SUCCESS).exists()
    record = read_record(project / again.directory)
    assert record["status"] == "succeeded" and record["counts"]["micrographs"] == 3


@pytest.mark.parametrize(("number", "code"), [(errno.EMFILE, 1), (errno.EIO, 1), (errno.EACCES, 2)])
@pytest.mark.parametrize("job", ["AutoPick", "Extract"])
def test_what_cannot_be_read(tmp_path: Path, no_pictures: None, job: str, number: int, code: int) -> None:
    """A micrograph without permission is its own fault; too many open files are not."""
    project = make_project(tmp_path)
    spec = BLOBS if job == "AutoPick" else extract_spec()
    with pytest.MonkeyPatch.context() as patch:
        _fail_to_read(patch, "mic2.mrc", number)
        outcome = run_spec(spec, project=project)
    assert outcome.code == code
    if code == 2:
        (failure,) = read_record(project / outcome.directory)["failures"]
        assert failure["item"] == "MotionCorr/job002/Movies/mic2.mrc"


def test_a_record_that_cannot_be_written_leaves_a_marker(tmp_path: Path, no_pictures: None) -> None:
    project = make_project(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        _fail_to_write(patch, "Extract/job012/.", errno.ENOSPC)
        outcome = run_spec(extract_spec(), project=project)
    assert outcome.code in (1, 2)
    assert not outcome.directory or (project / outcome.directory / FAILURE).exists()
    assert run_spec(extract_spec(), project=project).code == 0


def test_an_error_of_the_machine_survives_a_worker_process() -> None:
    import pickle

    error = pickle.loads(pickle.dumps(MachineError("a.mrc", "cannot be written")))
    assert isinstance(error, MachineError) and str(error) == "a.mrc: cannot be written"
