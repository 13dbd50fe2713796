"""The jobs of a project: how they ended, and the tree of who feeds whom."""

from pathlib import Path

import pytest

from cryoflow.project.jobs import Job, list_jobs, tree_lines
from cryoflow.project.markers import FAILURE, SUCCESS
from cryoflow.project.record import write_record


@pytest.mark.parametrize(
    ("status", "marker", "state"),
    [
        ("succeeded", SUCCESS, "succeeded"),
        ("partial", SUCCESS, "partial"),
        ("partial", FAILURE, "failed"),
        ("running", "", "stopped"),
    ],
)
def test_state_is_that_of_marker_and_record(tmp_path: Path, status: str, marker: str, state: str) -> None:
    directory = tmp_path / "Select" / "job014"
    directory.mkdir(parents=True)
    write_record(directory, {"status": status, "inputs": [], "spec": {"job": "Select"}})
    if marker:
        (directory / marker).touch()
    (job,) = list_jobs(tmp_path)
    assert (job.name, job.state) == ("Select/job014", state)


def test_a_job_stands_below_the_latest_that_feeds_it() -> None:
    fed = {"A/job001": (), "A/job002": (), "B/job003": ("A/job001", "A/job002"), "B/job004": ("A/job001",)}
    jobs = [Job(name, None, "succeeded", {}, feeders) for name, feeders in fed.items()]
    assert [(branch, job.name) for branch, job in tree_lines(jobs)] == [
        ("", "A/job001"),
        ("└ ", "B/job004"),
        ("", "A/job002"),
        ("└ ", "B/job003"),
    ]


def test_the_first_alias_by_name_is_shown(tmp_path: Path) -> None:
    for number in (14, 15):
        (tmp_path / "Select" / f"job{number:03d}").mkdir(parents=True)
    for alias, job in (("b", "job014"), ("a", "job014"), ("c", "job015")):
        (tmp_path / "Select" / alias).symlink_to(job)
    assert [job.alias for job in list_jobs(tmp_path)] == ["a", "c"]


def test_a_chain_deeper_than_pythons_calls() -> None:
    jobs = [
        Job(f"A/job{number:03d}", None, "succeeded", {}, (f"A/job{number - 1:03d}",))
        for number in range(1, 3001)
    ]
    lines = list(tree_lines(jobs))
    assert [job for _, job in lines] == jobs
    assert max(len(branches) for branches, _ in lines) == 42
