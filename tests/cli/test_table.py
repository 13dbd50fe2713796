"""Tables: whole in pipes, within the screen and coloured on terminals."""

import sys

import pytest

from cryoflow.cli.table import say_blocks, say_pairs, say_table, shortened

ROWS = [
    ["job", "state", "file", "from"],
    ["AutoPick/job010", "succeeded", "Movies/20170629_00021_frameImage.mrc", "CtfFind/job003"],
    ["├ Extract/job012", "failed", "b.mrc", "AutoPick/job010"],
]


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")


def test_pipes_get_everything_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    say_table(ROWS, drop=(3,), state=1)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        row if " " not in row[0] else [*row[0].split(), *row[1:]] for row in ROWS
    ]
    assert lines[1].index("Movies") == lines[2].index("b.mrc") == lines[0].index("file")


@pytest.mark.usefixtures("narrow")
def test_screens_lose_columns_first_and_then_the_middle_of_the_widest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say_table(ROWS, drop=(3,), state=1)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) == 50 and "from" not in lines[0]
    assert lines[1] == "AutoPick/job010   succeeded  Movies/…rameImage.mrc"
    assert "\033" not in "".join(lines)


def test_paths_keep_their_end() -> None:
    assert shortened("Movies/20170629_00021.mrc", 30) == "Movies/20170629_00021.mrc"
    assert shortened("Movies/20170629_00021.mrc", 13) == "Movi…0021.mrc"
    assert shortened("abc", 1) == "…"


def test_states_have_colours_on_terminals_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    say_table(ROWS, indent=" ", state=1)
    lines = capsys.readouterr().out.splitlines()
    assert " AutoPick/job010   \033[32msucceeded\033[0m  Movies" in lines[1]
    assert "  \033[31mfailed\033[0m     b.mrc" in lines[2] and "\033" not in lines[0]
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            say_table(ROWS, state=1)
            assert "\033" not in capsys.readouterr().out


@pytest.mark.usefixtures("narrow")
def test_long_texts_go_on_below_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    say_pairs([("command", "cryoflow run " + "a/" * 30 + "spec.yaml number=-"), ("x", "y")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "command  cryoflow run" and lines[-1] == "x        y"
    assert all(line.startswith(" " * 9) and len(line) <= 50 for line in lines[1:-1])
    assert lines[1].startswith(" " * 9 + "a/a/") and lines[1].endswith("spec.yaml") and "…" in lines[1]


@pytest.mark.usefixtures("narrow")
def test_wide_tables_are_blocks_that_repeat_their_keys(capsys: pytest.CaptureFixture[str]) -> None:
    heads = ["picking_threshold", "job", "state", *(f"result_number_{i}" for i in range(8))]
    say_blocks([heads, ["0.5", "AutoPick/job011", "done", *map(str, range(8))]], 2, state=2)
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 50
    blocks = [block.splitlines() for block in text.split("\n\n")]
    assert len(blocks) > 1 and all(block[0].startswith("picking    job") for block in blocks)
    found = [word for block in blocks for word in block[-1].split()[2:]]
    assert found == ["done", *map(str, range(8))]
