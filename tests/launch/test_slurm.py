"""Sweeps on a SLURM cluster, where there is one: a point that fails, one that is cancelled, and the rest."""

import subprocess
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from helpers.launch_project import cryoflow, one_selection, sweep_rows

from cryoflow.launch.launchers import preset_path

project = one_selection

NAME = "cryoflow-test"
SMALL = {"name": NAME, "cpus_per_task": 1, "mem_gb": 1, "timeout_min": 5}


def _answers(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.fixture(scope="module")
def cluster() -> None:
    """Skip where no job can be given to SLURM, or where it cannot be asked what has become of one."""
    if find_spec("submitit") is None or find_spec("hydra_plugins.hydra_submitit_launcher") is None:
        pytest.skip("needs hydra-submitit-launcher")
    if not _answers("sinfo"):
        pytest.skip("needs a SLURM cluster; none answers")
    if not _answers("sacct", "-o", "JobID,State,NodeList", "--parsable2", "-j", "1"):
        pytest.skip("needs SLURM's accounting (sacct)")


def _preset(path: Path, **settings: object) -> Path:
    """Write the shipped preset with other settings."""
    preset = yaml.safe_load(preset_path("slurm").read_text())
    path.write_text(yaml.safe_dump(preset | SMALL | settings))
    return path


def _sweep(project: Path, launcher: Path, *values: str) -> int:
    words = ("run", project.parent / "spec.yaml", "device=cpu", "--multirun", "--launcher", launcher)
    return cryoflow(project, *words, *values)


def _cancel_second() -> None:
    """Cancel the second point of the sweep in the midst of its job."""
    for _ in range(300):
        listed = ["squeue", "-h", "-r", "-t", "R", "-n", NAME, "-o", "%F_%K"]
        running = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
        second = next((job for job in running if job.endswith("_1")), None)
        if second:
            subprocess.run(["scancel", second], check=True)
            return
        time.sleep(0.2)
    raise AssertionError("the second point was never seen to run")


@pytest.mark.slurm
@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_failed_and_a_cancelled_point_and_the_same_command_again(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    launcher = tmp_path / "my_slurm.yaml"
    values = (
        "maximum_metadata_value=0.4,0.5",
        "metadata_label_for_subset_selection=rlnMine,rlnParticleSelectZScore",
    )
    _preset(launcher, setup=["sleep 4"])
    cancelling = threading.Thread(target=_cancel_second)
    cancelling.start()
    assert _sweep(project, launcher, *values) == 1
    cancelling.join()
    rows = sweep_rows(project)
    assert [row["state"] for row in rows] == ["failed", "failed", "failed", "done"]
    assert rows[1]["job"] == "none"
    told = capsys.readouterr()
    assert "produced no result: its worker was killed or never started" in told.out
    assert "CANCELLED" in told.err
    _preset(launcher)
    assert _sweep(project, launcher, *values) == 1
    assert "1 point was already done" in capsys.readouterr().out
    again = sweep_rows(project)
    assert [row["state"] for row in again] == ["failed", "done", "failed", "done"]
    assert again[3]["job"] == rows[3]["job"]
    assert [row["particles"] for row in again] == ["", "2.0", "", "2.0"]
