"""Names inside a project."""

from pathlib import Path

import pytest

from cryoflow.errors import FileError
from cryoflow.project.context import JobContext
from cryoflow.project.paths import below_job


@pytest.mark.parametrize(
    ("name", "below"),
    [
        ("MotionCorr/job002/Micrographs/a.mrc", "Micrographs/a.mrc"),
        ("./MotionCorr/job002/Micrographs/a.mrc", "Micrographs/a.mrc"),
        ("Import/job1234/a.mrc", "a.mrc"),
        ("Micrographs/a.mrc", "Micrographs/a.mrc"),
        ("a/b/job002/c.mrc", "a/b/job002/c.mrc"),
        ("MotionCorr/jobs/a.mrc", "MotionCorr/jobs/a.mrc"),
    ],
)
def test_below_job(name: str, below: str) -> None:
    assert below_job(name) == below


def test_context_names(tmp_path: Path) -> None:
    context = JobContext(tmp_path, tmp_path / "AutoPick" / "job010")
    (tmp_path / "a.star").touch()
    assert context.relative(context.directory / "x" / "a.star") == "AutoPick/job010/x/a.star"
    assert context.relative("a.star") == "a.star"
    assert context.relative("/elsewhere/a.star") == "/elsewhere/a.star"
    assert context.resolve("a.star") == tmp_path / "a.star"
    with pytest.raises(FileError, match=r"^b.star: no such file in the project"):
        context.resolve("b.star")
