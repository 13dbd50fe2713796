"""Jobs that were killed, and which of them the same command resumes."""

from pathlib import Path

from helpers.launch_project import cryoflow, one_selection

from cryoflow.project.markers import SUCCESS, succeeded
from cryoflow.project.record import read_record, write_record

project = one_selection


def test_of_several_killed_jobs_the_latest_is_resumed(project: Path) -> None:
    command = ("run", project.parent / "spec.yaml", "device=cpu")
    for _ in range(2):
        assert cryoflow(project, *command) == 0
    jobs = [project / "Select" / name for name in ("job013", "job014")]
    for job in jobs:
        write_record(job, read_record(job) | {"status": "running"})
        (job / SUCCESS).unlink()
    assert cryoflow(project, *command) == 0
    assert [succeeded(job) for job in jobs] == [False, True]
    assert sorted(path.name for path in (project / "Select").iterdir()) == ["job013", "job014"]
