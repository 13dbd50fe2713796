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
    with pytest.raises(FileError, match=r"^b.star: no such file in the project .*; check the path"):
        context.resolve("b.star")


def test_the_last_iteration_is_named_where_another_is_asked_for(tmp_path: Path) -> None:
    for name in (
        "run_it000_model.star",
        "run_it009_model.star",
        "run_it010_model.star",
        "run_it011_data.star",
    ):
        (tmp_path / name).touch()
    context = JobContext(tmp_path, tmp_path)
    with pytest.raises(FileError, match=r"; the last iteration there is run_it010_model.star$"):
        context.resolve("run_it025_model.star")
    with pytest.raises(FileError, match="; check the path"):
        context.resolve("run_it025_classes.mrcs")
