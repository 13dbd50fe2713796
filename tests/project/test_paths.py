"""Names inside a project."""

from pathlib import Path

import pytest

from cryoflow.errors import FileError
from cryoflow.project.context import JobContext


def test_context_names(tmp_path: Path) -> None:
    context = JobContext(tmp_path, tmp_path / "AutoPick" / "job010")
    (tmp_path / "a.star").touch()
    assert context.relative(context.directory / "x" / "a.star") == "AutoPick/job010/x/a.star"
    assert context.relative("a.star") == "a.star"
    assert context.relative("/elsewhere/a.star") == "/elsewhere/a.star"
    assert context.resolve("a.star") == tmp_path / "a.star"
    with pytest.raises(FileError, match=r"^b.star: no such file in the project"):
        context.resolve("b.star")
