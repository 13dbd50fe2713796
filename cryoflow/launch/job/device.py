"""Choose the hardware when a job starts, not before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cryoflow.errors import CryoflowError


def resolve_device(wanted: str) -> str:
    """Return the torch device for ``auto``, ``cpu``, ``cuda`` or ``cuda:<n>``.

    Raises
    ------
    CryoflowError
        If CUDA was asked for and this machine has none of that number.
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
            f"compute > Device: '{wanted}' is not there ({_have(count)}); "
            "use cpu, or auto with 'Use GPU acceleration?' No"
        )
    return f"cuda:{index}"


def _have(count: int) -> str:
    return f"torch finds {count} CUDA device{'' if count == 1 else 's'}"


@contextmanager
def torch_threads(threads: int | None) -> Iterator[int]:
    """Let torch use so many threads, and yield their number; ``None`` leaves torch's own choice."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
