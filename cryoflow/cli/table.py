"""Text tables: full width for pipes, fitted to the screen on terminals."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from textwrap import wrap
from typing import TypeAlias

from cryoflow.screen import say

Rows: TypeAlias = Sequence[Sequence[str]]

_GAP = "  "
_SHORTEST = 6
"""Minimum width of a column."""
_COLOURS = {
    "succeeded": 32,
    "done": 32,
    "running": 36,
    "partial": 33,
    "stopped": 33,
    "outdated": 33,
    "failed": 31,
    "aborted": 31,
    "unknown": 2,
}
"""ANSI codes of states: green, cyan, yellow, red, faint."""


def screen_width() -> int | None:
    """Columns to fit tables into: ``COLUMNS``, or those of the terminal; None for pipes and files."""
    if os.environ.get("COLUMNS", "").isdigit() or sys.stdout.isatty():
        return shutil.get_terminal_size().columns
    return None


def say_table(rows: Rows, indent: str = "", drop: Sequence[int] = (), state: int | None = None) -> None:
    """Write rows with aligned columns; the last column is not padded.

    Parameters
    ----------
    rows : sequence of sequence of str
    indent : str
        Put before each line.
    drop : sequence of int
        Columns to leave out, in this order, where the screen is too narrow; then the widest columns are
        shortened in the middle.
    state : int, optional
        Column of states, coloured on a terminal.
    """
    room = screen_width()
    whole = range(len(rows[0]))
    shown = list(whole)
    if room is not None:
        shown, rows = _fitted(rows, room - len(indent), drop)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    place = shown.index(state) if state in shown else -1
    for row in rows:
        padded = [word.ljust(width) for word, width in zip(row, widths, strict=True)]
        line = (indent + _GAP.join(padded)).rstrip()
        start = len(indent) + sum(width + len(_GAP) for width in widths[:place])
        say(_coloured(line, start, row[place]) if place >= 0 else line)


def say_pairs(rows: Sequence[tuple[str, str]], indent: str = "") -> None:
    """Write names and texts; texts wider than the screen are wrapped and indented."""
    room, widest = screen_width(), max(len(name) for name, _ in rows)
    start = len(indent) + widest + len(_GAP)
    for name, text in rows:
        lines = [text]
        if room is not None and start + len(text) > room > start + _SHORTEST:
            words = " ".join(shortened(word, room - start) for word in text.split())
            lines = wrap(words, room - start, break_long_words=False, break_on_hyphens=False)
        say(f"{indent}{name.ljust(widest)}{_GAP}{lines[0]}".rstrip())
        for line in lines[1:]:
            say(" " * start + line)


def say_blocks(rows: Rows, keys: int, state: int | None = None) -> None:
    """Write a wide table in blocks below each other, each with the first columns again.

    The headings, words joined by underscores, are broken there where the screen is narrow.
    """
    room = screen_width()
    if room is None:
        say_table(rows)
        return
    heads = [name.split("_") for name in rows[0]]
    tall = max(map(len, heads))
    lines = [[head[line] if line < len(head) else "" for head in heads] for line in range(tall)]
    whole = [*lines, *rows[1:]]
    widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
    for number, block in enumerate(_blocks(widths, keys, room)):
        if number:
            say()
        say_table([[row[place] for place in block] for row in whole], state=_place(block, state))


def shortened(text: str, width: int) -> str:
    """Return a text of at most this many characters, its middle replaced by ``…`` where it is longer.

    More of the end is kept, which distinguishes paths.
    """
    if len(text) <= width:
        return text
    end = (width - 1) * 2 // 3
    return f"{text[: width - 1 - end]}…{text[len(text) - end :] if end else ''}"


def coloured_state(state: str) -> str:
    """Return a state in its colour where colours are shown."""
    return _coloured(state, 0, state)


def _fitted(rows: Rows, room: int, drop: Sequence[int]) -> tuple[list[int], Rows]:
    """Return the columns that are shown, and their rows with what is too wide shortened."""
    shown = list(range(len(rows[0])))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for column in drop:
        if _total(widths, shown) <= room:
            break
        shown.remove(column)
    while _total(widths, shown) > room and max(widths[column] for column in shown) > _SHORTEST:
        widths[max(shown, key=lambda column: widths[column])] -= 1
    return shown, [[shortened(row[column], widths[column]) for column in shown] for row in rows]


def _total(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[column] for column in shown) + len(_GAP) * (len(shown) - 1)


def _blocks(widths: Sequence[int], keys: int, room: int) -> list[list[int]]:
    """Distribute the columns after the keys over as many blocks as they need."""
    first = list(range(keys))
    blocks = [list(first)]
    for column in range(keys, len(widths)):
        if len(blocks[-1]) > keys and _total(widths, [*blocks[-1], column]) > room:
            blocks.append(list(first))
        blocks[-1].append(column)
    return blocks


def _place(block: Sequence[int], column: int | None) -> int | None:
    return block.index(column) if column in block else None


def _coloured(line: str, start: int, state: str) -> str:
    code = _COLOURS.get(state)
    if code is None or not _has_colours():
        return line
    end = start + len(state)
    return f"{line[:start]}\033[{code}m{line[start:end]}\033[0m{line[end:]}"


def _has_colours() -> bool:
    """Return whether stdout is a terminal that shows colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
