"""Peak memory of a process (Linux)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any


def peak_mib() -> float:
    """Of this process, so far."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


def peaks_shown(work: Callable[..., Any], *arguments: Any) -> str:
    """In words: the peak of a new process that does some work, and how much of it there was before."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        peak, base = pool.submit(_around, work, *arguments).result()
    return f"peak memory: {peak:.0f} MiB, {base:.0f} of them for the program itself"


def _around(work: Callable[..., Any], *arguments: Any) -> tuple[float, float]:
    base = peak_mib()  # by now, what the work needs has been imported
    work(*arguments)
    return peak_mib(), base
