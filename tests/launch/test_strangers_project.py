"""Projects of strangers: links lead out of them, pipes stand in for files, a process was killed in them."""

import errno
import fcntl
import socket
import subprocess
from pathlib import Path

import pytest
from helpers.launch_project import cryoflow, kept, make_project, select_spec

from cryoflow.project.lock import holding, is_running, owner_is_alive
from cryoflow.project.trash import discard_job


@pytest.fixture
def spec(tmp_path: Path, no_pictures: None) -> Path:
    make_project(tmp_path / "project")
    return select_spec(tmp_path / "spec.yaml", number=14)


@pytest.mark.parametrize("log", ["run.out", "run.err", "note.txt"])
def test_logs_do_not_follow_links(
    tmp_path: Path, spec: Path, log: str, capsys: pytest.CaptureFixture[str]
) -> None:
    project, victim = tmp_path / "project", tmp_path / "victim"
    assert cryoflow(project, "run", spec, "device=cpu") == 0
    path = project / "Select" / "job014" / log
    path.unlink(missing_ok=True)
    victim.write_text("mine\n")
    path.symlink_to(victim)
    assert cryoflow(project, "run", "--continue", "Select/job014", spec, "device=cpu") != 0
    assert victim.read_text() == "mine\n"
    assert f"{path}: cannot be written: it is a link" in capsys.readouterr().err


def test_folders_of_jobs_do_not_lead_out_of_the_project(
    tmp_path: Path, spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    outside.mkdir()
    (project / "Select").symlink_to(outside)
    assert cryoflow(project, "run", spec, "device=cpu") == 2
    assert not [*outside.iterdir()]
    assert "leads out of the project" in capsys.readouterr().err
    (project / "Select").unlink()
    assert cryoflow(project, "run", spec, "device=cpu") == 0
    (project / "Select" / "job014" / "Micrographs").symlink_to(outside)
    assert cryoflow(project, "run", "--continue", "Select/job014", spec) == 2
    assert "Micrographs: a link leads out of the project" in capsys.readouterr().err


def test_links_to_inputs_are_normal(tmp_path: Path, spec: Path) -> None:
    project = tmp_path / "project"
    (project / "Extract").rename(tmp_path / "Extract")
    (project / "Extract").symlink_to(tmp_path / "Extract")
    assert cryoflow(project, "run", spec, "device=cpu") == 0
    assert kept(project, "Select/job014") == 2


def test_the_trash_removes_nothing_outside(tmp_path: Path) -> None:
    project, other = tmp_path / "project", tmp_path / "other"
    for root, job in ((project, "Select/job014"), (other, "job014")):
        (root / job).mkdir(parents=True)
        (root / job / "precious").touch()
    (project / "Trash").mkdir()
    (project / "Trash" / "Select").symlink_to(other)
    with pytest.raises(Exception, match="leads out of the project"):
        discard_job(project, "Select/job014")
    assert (other / "job014" / "precious").exists()
    (project / "Trash" / "Select").unlink()
    (project / "Trash" / "Select").mkdir()
    (project / "Trash" / "Select" / "job014").symlink_to(other / "job014")
    discard_job(project, "Select/job014")
    assert (other / "job014" / "precious").exists()
    assert (project / "Trash" / "Select" / "job014" / "precious").exists()


def test_a_file_stands_in_for_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", none)
    monkeypatch.setattr("cryoflow.project.lock._said", False)
    assert not is_running(tmp_path)
    for _ in range(2):
        with holding(tmp_path):
            assert is_running(tmp_path)
            with pytest.raises(Exception, match="another process is running this job"), holding(tmp_path):
                pass
        assert not is_running(tmp_path)
    assert capsys.readouterr().err.count("without locks") == 1
    dead = subprocess.Popen(["true"])
    dead.wait()
    (tmp_path / ".run.lock").write_text(f"{socket.gethostname()} {dead.pid}")
    assert not is_running(tmp_path)
    with holding(tmp_path):
        pass


def test_owners_of_other_hosts_may_be_alive(tmp_path: Path) -> None:
    for text, alive in (
        ("elsewhere 1", True),
        (f"{socket.gethostname()} 1", True),
        ("", False),
        ("x y", True),
    ):
        (tmp_path / "lock").write_text(text)
        assert owner_is_alive(tmp_path / "lock") == alive
