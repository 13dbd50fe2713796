"""Jobs that were killed, and which of them the same command resumes."""

from pathlib import Path

from helpers.launch_project import cryoflow, one_selection

from cryoflow.project.lock import holding
from cryoflow.project.markers import SUCCESS, succeeded
from cryoflow.project.record import read_record, write_record

project = one_selection


def killed_twice(project: Path) -> list[Path]:
    """Two jobs of one spec, as a kill leaves them."""
    jobs = [project / "Select" / name for name in ("job013", "job014")]
    for _ in jobs:
        assert run(project) == 0
    for job in jobs:
        write_record(job, read_record(job) | {"status": "running"})
        (job / SUCCESS).unlink()
    return jobs


def run(project: Path) -> int:
    return cryoflow(project, "run", project.parent / "spec.yaml", "device=cpu")


def test_of_several_killed_jobs_the_latest_is_resumed(project: Path) -> None:
    jobs = killed_twice(project)
    assert run(project) == 0
    assert [succeeded(job) for job in jobs] == [False, True]
    assert sorted(path.name for path in (project / "Select").iterdir()) == ["job013", "job014"]


def test_a_job_that_still_runs_is_not_resumed(project: Path) -> None:
    jobs = killed_twice(project)
    with holding(jobs[1]):
        assert run(project) == 0
    assert [succeeded(job) for job in jobs] == [True, False]
