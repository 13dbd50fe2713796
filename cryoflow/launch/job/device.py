"""Resolve the device when a job starts, not before: it may run on another machine than planned."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cryoflow.errors import CryoflowError


def resolve_device(wanted: str) -> str:
    """Return the torch device for ``auto``, ``cpu``, ``cuda`` or ``cuda:<n>``.

    Raises
    ------
    CryoflowError
        If CUDA was requested and this machine has no such device.
    """
    if wanted == "cpu":
        return "cpu"
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "auto":
        return "cuda:0" if count else "cpu"
    index = int(wanted.partition(":")[2] or 0)
    if index >= count:
        raise CryoflowError(
            f"compute > Device: CUDA device {index} is not available (torch sees {count}); "
            "use cpu, or auto with 'Use GPU acceleration?' No"
        )
    return f"cuda:{index}"


@contextmanager
def torch_threads(threads: int | None) -> Iterator[int]:
    """Set the number of torch's threads and yield it; ``None`` keeps torch's own choice."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
