"""Report the progress of a job: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TextIO, TypeVar

from cryoflow.plain_files import open_append
from cryoflow.project.context import Reporter
from cryoflow.screen import printable, write_line

T = TypeVar("T")

#: Seconds between two lines of progress in a log.
PACE = 10.0


class JobReporter(Reporter):
    """Writes to the screen, ``run.out`` and ``run.err``.

    Parameters
    ----------
    directory : Path
        Job directory; its logs are appended to.
    prefix : str
        Put before lines on the screen, to distinguish concurrent jobs.
    bars : bool
        Whether bars may be drawn if the screen is a terminal.
    quiet : bool
        Whether to write into the logs only.
    """

    def __init__(self, directory: Path, prefix: str = "", bars: bool = True, quiet: bool = False) -> None:
        with ExitStack() as opened:
            self._out, self._err = (
                opened.enter_context(open_append(directory / name, "backslashreplace"))
                for name in ("run.out", "run.err")
            )
            opened.pop_all()  # both are open, and stay so until `close`
        self._prefix = prefix
        self._quiet = quiet
        self._reached = ""
        self._bars = bars and not quiet and sys.stderr.isatty()

    def __enter__(self) -> JobReporter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the logs."""
        self._out.close()
        self._err.close()

    def say(self, line: str) -> None:
        """Write one line of information to stdout and ``run.out``."""
        self._log(line)
        self._show(sys.stdout, line)

    def warn(self, line: str) -> None:
        """Write one warning to stderr and both logs."""
        self._log(f"warning: {line}")
        self.error(f"warning: {line}")

    def error(self, line: str) -> None:
        """Write one error to stderr and ``run.err``."""
        self.trace(line)
        self._show(sys.stderr, line)

    def trace(self, text: str) -> None:
        """Write details for developers to ``run.err``."""
        self._err.write(text.rstrip("\n") + "\n")

    def progress(self, iterable: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Yield the items while a bar, or a line every ten seconds, shows the progress."""
        if total is None and isinstance(iterable, Sized):
            total = len(iterable)
        write = self._log if self._bars else self._log_and_screen
        lines = _with_lines(self._followed(iterable, label, total), label, total, write)
        yield from _with_bar(lines, label, total) if self._bars else lines

    @property
    def reached(self) -> str:
        """How far an unfinished progress has come, such as ``2 of 6 iterations``; empty if none is."""
        return self._reached

    def _followed(self, items: Iterable[T], label: str, total: int | None) -> Iterator[T]:
        for done, item in enumerate(items, start=1):
            yield item
            self._reached = f"{done} of {total} {label}" if total and done < total else ""

    def _log(self, line: str) -> None:
        with suppress(ValueError):  # closed: a job that still reports after its end
            self._out.write(line + "\n")

    def _show(self, stream: TextIO, line: str) -> None:
        if not self._quiet:
            write_line(stream, self._prefix + printable(line))

    def _log_and_screen(self, line: str) -> None:
        self._log(line)
        self._show(sys.stderr, line)


def progress_line(label: str, done: int, total: int | None, seconds: float) -> str:
    """Return e.g. ``micrographs: 3 of 8, 12 s, about 20 s left``."""
    if total is None:
        return f"{label}: {done}, {seconds:.0f} s"
    left = f", about {seconds / done * (total - done):.0f} s left" if 0 < done < total else ""
    return f"{label}: {done} of {total}, {seconds:.0f} s{left}"


def _with_lines(
    iterable: Iterable[T], label: str, total: int | None, write: Callable[[str], None]
) -> Iterator[T]:
    start = due = time.monotonic()
    done = 0
    for item in iterable:
        yield item
        done += 1
        now = time.monotonic()
        if now - due >= PACE and done != total:
            write(progress_line(label, done, total, now - start))
            due = now
    write(progress_line(label, done, total, time.monotonic() - start))


def _with_bar(items: Iterable[T], label: str, total: int | None) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    # Other output goes above the bar, unless it goes into a file.
    with Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as bar:
        task = bar.add_task(label, total=total)
        for item in items:
            yield item
            bar.advance(task)
