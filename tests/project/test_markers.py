"""Exit markers of a job that runs again."""

from pathlib import Path

import pytest

from cryoflow.project.markers import ABORTED, FAILURE, SUCCESS, clear_markers


@pytest.mark.parametrize("marker", [SUCCESS, FAILURE, ABORTED])
def test_a_job_that_runs_again_has_no_end_of_an_earlier_run(tmp_path: Path, marker: str) -> None:
    (tmp_path / marker).touch()
    (tmp_path / "run.job").touch()
    clear_markers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["run.job"]
