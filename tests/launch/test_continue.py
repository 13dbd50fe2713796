"""Jobs that are continued, and what a continuation leaves alone."""

from pathlib import Path

import pytest
from helpers.stand_in_job import listing, run_spec, stand_in_project

from cryoflow.project.markers import FAILURE, SUCCESS
from cryoflow.project.record import read_record

project = stand_in_project


def test_continue_with_the_recorded_spec(project: Path) -> None:
    assert run_spec(project, "minimum_metadata_value=2", "maximum_metadata_value=99") == 1
    directory = project / "Select" / "job014"
    assert run_spec(project, "minimum_metadata_value=0.5", spec=None, continued="Select/after_sort") == 0
    assert SUCCESS in listing(directory)
    assert FAILURE not in listing(directory)
    assert (directory / "particles.star").read_text().endswith(" True\n")
    assert read_record(directory)["spec"]["subsets"]["minimum_metadata_value"] == 0.5
    assert "is_continue == true\n" in (directory / "run.job").read_text()
    assert (directory / "note.txt").read_text().count("Executing new job") == 2
    assert listing(project / "Select") == {"job014", "after_sort"}


@pytest.mark.parametrize("what", [1, 2])
def test_a_start_that_fails_leaves_the_job_as_it_was(
    project: Path, capsys: pytest.CaptureFixture[str], what: int
) -> None:
    """The settings that it failed with would otherwise be used by the next ``--continue``."""
    run_spec(project)
    directory = project / "Select" / "job014"
    before = {path: path.read_bytes() for path in directory.iterdir() if path.suffix not in {".txt", ".err"}}
    capsys.readouterr()
    given = (f"minimum_metadata_value={what}", "maximum_metadata_value=99")
    assert run_spec(project, *given, spec=None, continued="Select/job014") == 1
    assert capsys.readouterr().err.startswith("Select/job014: not continued, left unchanged: ")
    now = {path: path.read_bytes() for path in directory.iterdir() if path.suffix not in {".txt", ".err"}}
    assert now == before
    assert run_spec(project, "seed=3", spec=None, continued="Select/job014") == 0
    subsets = read_record(directory)["spec"]["subsets"]
    assert (subsets["minimum_metadata_value"], subsets["maximum_metadata_value"]) == (-9999, 1.0)


def test_settings_stay_where_the_job_got_going_or_was_stopped(project: Path) -> None:
    assert run_spec(project) == 0
    directory = project / "Select" / "job014"
    given: dict[str, object] = {"spec": None, "continued": "Select/job014"}
    with pytest.raises(KeyboardInterrupt):
        run_spec(project, "minimum_metadata_value=4", "maximum_metadata_value=99", **given)
    assert read_record(directory)["spec"]["subsets"]["minimum_metadata_value"] == 4
    assert run_spec(project, "minimum_metadata_value=7", **given) == 1
    assert "no more paper" in read_record(directory)["error"]
    assert read_record(directory)["spec"]["subsets"]["minimum_metadata_value"] == 7


def test_a_job_of_relion_that_cannot_be_continued_is_left_alone(project: Path) -> None:
    directory = project / "Select" / "job014"
    directory.mkdir(parents=True)
    (directory / "run.job").write_text("job_type == 7\n")
    assert (
        run_spec(project, "minimum_metadata_value=2", "maximum_metadata_value=99", continued=str(directory))
        == 1
    )
    assert listing(directory) == {"run.job", "run.out", "run.err", "note.txt"}
    assert (directory / "run.job").read_text() == "job_type == 7\n"


def test_continue_with_a_spec_of_another_type(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_spec(project)
    sort = "job: Sort\nio: {input_particles_to_be_sorted: Extract/job012/particles.star, "
    sort += "autopicking_references: Extract/job012/particles.star}\n"
    assert run_spec(project, spec=sort, continued="Select/job014") == 2
    assert "Select/job014: cannot be continued with a spec of type Sort" in capsys.readouterr().err
