"""The lock of RELION's pipeline file: that of a dead process is broken, RELION's and others' are not."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from cryoflow.errors import CryoflowError
from cryoflow.project.pipeline import PIPELINE, JobEntry, register_job
from cryoflow.project.pipeline_nodes import ProcessType

ENTRY = JobEntry(ProcessType(7, "relion.select"), "Select/job014", None, "Running")


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """The file in the lock of a project whose pipeline file is locked."""
    (tmp_path / PIPELINE).write_text("\ndata_pipeline_general\n\n_rlnPipeLineJobCounter 14\n")
    (tmp_path / "Select" / "job014").mkdir(parents=True)
    (tmp_path / ".relion_lock").mkdir()
    return tmp_path / ".relion_lock" / f"lock_{PIPELINE}"


def _dead() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_the_lock_of_a_dead_process_is_broken(locked: Path) -> None:
    project = locked.parents[1]
    locked.write_text(f"cryoflow: Select/job013 {socket.gethostname()} {_dead()}\n")
    register_job(project, ENTRY, wait=0.0)
    assert "Select/job014/" in (project / PIPELINE).read_text()
    assert not [path for path in project.iterdir() if path.name.startswith(".relion_lock")]


@pytest.mark.parametrize("owner", ["living", "elsewhere", "relion", "none"])
def test_other_locks_are_waited_for(locked: Path, owner: str) -> None:
    project = locked.parents[1]
    text = {
        "living": f"cryoflow: Select/job013 {socket.gethostname()} {os.getpid()}\n",
        "elsewhere": "cryoflow: Select/job013 another-host 1\n",
        "relion": "lock mainGUI pid\n",
    }
    if owner in text:
        locked.write_text(text[owner])
    with pytest.raises(CryoflowError, match="locked"):
        register_job(project, ENTRY, wait=0.1)
    assert locked.parent.is_dir()
    assert "job014" not in (project / PIPELINE).read_text()
