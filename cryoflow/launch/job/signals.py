"""Let a job that is told to stop leave its directory in order."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Terminated(KeyboardInterrupt):
    """SIGTERM, treated as Ctrl-C is."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Terminated` where a SIGTERM comes; only the main thread of a process can.

    Where something else is to happen at a SIGTERM, that stays so.
    """
    there = signal.getsignal(signal.SIGTERM)
    if there is not signal.SIG_DFL or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def end_at_once() -> None:
    """Let this process end when it is told to, whatever it is at: its job is like one that was killed."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(1))
