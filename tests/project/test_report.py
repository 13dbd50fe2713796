"""Progress and messages."""

from pathlib import Path

import pytest

from cryoflow.project import report
from cryoflow.project.context import Reporter
from cryoflow.project.report import JobReporter, progress_line


def test_silent_reporter_passes_items_on() -> None:
    assert list(Reporter().progress(iter([3, 1]), "things")) == [3, 1]


@pytest.mark.parametrize(
    ("done", "total", "seconds", "line"),
    [
        (3, 8, 12.0, "micrographs: 3 of 8, 12 s, about 20 s left"),
        (8, 8, 31.6, "micrographs: 8 of 8, 32 s"),
        (0, 0, 0.0, "micrographs: 0 of 0, 0 s"),
        (5, None, 2.0, "micrographs: 5, 2 s"),
    ],
)
def test_progress_line(done: int, total: int | None, seconds: float, line: str) -> None:
    assert progress_line("micrographs", done, total, seconds) == line


def test_everything_said_stands_in_the_logs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with JobReporter(tmp_path, prefix="Sort/job013: ") as reporter:
        reporter.say("12 references")
        reporter.warn("one is dark")
        reporter.trace("Traceback ...\n")
        assert list(reporter.progress([7, 8], "particles")) == [7, 8]
    shown = capsys.readouterr()
    assert shown.out == "Sort/job013: 12 references\n"
    assert shown.err == "Sort/job013: warning: one is dark\nSort/job013: particles: 2 of 2, 0 s\n"
    assert (tmp_path / "run.out").read_text() == (
        "12 references\nwarning: one is dark\nparticles: 2 of 2, 0 s\n"
    )
    assert (tmp_path / "run.err").read_text() == "warning: one is dark\nTraceback ...\n"


def test_names_that_are_no_text_do_not_stop_a_job(tmp_path: Path) -> None:
    with JobReporter(tmp_path) as reporter:
        reporter.warn("a\udce9.mrc: no such file")
    assert (tmp_path / "run.err").read_text() == "warning: a\\udce9.mrc: no such file\n"


def test_lines_come_at_their_pace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 4))  # four seconds an item
    monkeypatch.setattr(report.time, "monotonic", lambda: float(next(clock)))
    with JobReporter(tmp_path) as reporter:
        list(reporter.progress(range(8), "micrographs"))
    assert (tmp_path / "run.out").read_text().splitlines() == [
        "micrographs: 3 of 8, 12 s, about 20 s left",
        "micrographs: 6 of 8, 24 s, about 8 s left",
        "micrographs: 8 of 8, 36 s",
    ]


def test_a_bar_on_a_terminal_leaves_plain_lines_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report.sys.stderr, "isatty", lambda: True, raising=False)
    with JobReporter(tmp_path) as reporter:
        assert list(reporter.progress(range(3), "micrographs")) == [0, 1, 2]
    assert (tmp_path / "run.out").read_text() == "micrographs: 3 of 3, 0 s\n"
    assert "micrographs: 3 of 3" not in capsys.readouterr().err
