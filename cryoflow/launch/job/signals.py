"""Stop jobs in an orderly way at SIGTERM."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Terminated(KeyboardInterrupt):
    """SIGTERM, handled like Ctrl-C."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Terminated` at SIGTERM; only the main thread of a process can.

    A handler that is installed already stays.
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
    """End this process at SIGTERM, whatever it is doing: its job is left as if it had been killed."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(1))
