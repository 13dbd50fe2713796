"""Share independent pieces of work among threads, one torch thread each."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch

Mapper = Callable[..., Iterator[Any]]
"""As the built-in `map`: results come in the order of the items."""
TRIM, MMAP, MAPPED, ARENAS = -1, -3, -4, -8
"""Numbers of M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX and M_ARENA_MAX in glibc's malloc.h."""
LARGEST_KEPT = 32 << 20
"""The largest that glibc lets M_MMAP_THRESHOLD be."""
MOST_MAPPED = 65536
"""glibc's own M_MMAP_MAX."""
SWITCH_INTERVAL_S = 5e-4
"""Seconds."""
_KEEPING: list[bool] = []
"""Not empty inside `keeping_large_images`; children of the process inherit both."""


@cache
def keep_freed_memory() -> None:
    """Let glibc reuse memory that tensors free; elsewhere do nothing.

    By default it returns batches of a few MB to the system and requests them again for the next operation,
    mostly in threads: page faults then take as long as small transforms.
    """
    _mallopt(TRIM, 1 << 30)
    _mallopt(MMAP, LARGEST_KEPT)


@contextmanager
def keeping_large_images() -> Iterator[None]:
    """Keep freed memory of any size, even of whole micrographs, until this context or an outer one ends.

    All threads then draw on the same memory: those of glibc's other arenas hold no more than 64 MB at once.
    """
    if _KEEPING:
        yield
        return
    keep_freed_memory()
    _mallopt(ARENAS, 1)
    _mallopt(MAPPED, 0)
    _KEEPING.append(True)
    try:
        yield
    finally:
        _KEEPING.pop()
        _mallopt(MAPPED, MOST_MAPPED)
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim:
            trim(0)


@contextmanager
def short_switch_interval() -> Iterator[None]:
    """Switch threads in the interpreter more often, until this ends.

    Threads need it for an instant between any two operations on tensors, and would wait 5 ms for one that is
    busy with Python code.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _mallopt(option: int, value: int) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(option, value)


@contextmanager
def single_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that each compute on one torch thread, from their first operation on.

    A new thread would take its first transform on as many threads as the machine has, and round otherwise.
    At the end all are waited for, but not after Ctrl-C, since their tasks may take minutes.
    """
    pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,))
    wait = True
    try:
        yield pool
    except KeyboardInterrupt:
        wait = False
        raise
    finally:
        pool.shutdown(wait=wait, cancel_futures=not wait)


@contextmanager
def one_thread_each(device: str, at_once: int | None = None) -> Iterator[Mapper]:
    """Return a `map` that processes several items at a time; by default as many as torch has threads.

    Every piece is computed on one thread, so that no sum depends on how many there are; and many small
    operations gain more from this than from threads that wait for one another inside each of them. On a GPU
    it is `map`.
    """
    threads = torch.get_num_threads()
    if device != "cpu":
        yield map
        return
    keep_freed_memory()
    torch.set_num_threads(1)
    try:
        with single_threads(at_once or threads) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(threads)
