"""Lines for terminals and pipes."""

import os
import sys
from pathlib import Path

import pytest

from cryoflow.project.report import JobReporter
from cryoflow.screen import print_error, printable, say


def test_control_characters_are_escaped() -> None:
    assert printable("a\x1b[31m\r\x9b.mrc: \u00e5\tno\n") == "a\\x1b[31m\\x0d\\x9b.mrc: \u00e5\tno\n"


def test_errors_and_reports_command_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_error("a\x1b]0;b")
    with JobReporter(tmp_path) as report:
        report.warn("c\x1b]0;d")
    assert capsys.readouterr().err == "a\\x1b]0;b\nwarning: c\\x1b]0;d\n"


def test_a_reader_that_has_gone_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe, monkeypatch.context() as gone:
        gone.setattr(sys, "stdout", pipe)
        say("one")
        say("two")
    monkeypatch.setattr(sys, "stdout", None)
    say("three")
