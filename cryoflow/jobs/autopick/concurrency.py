"""Number of micrographs processed concurrently."""

from __future__ import annotations

import torch

from cryoflow.spec import AutoPick

MOST_LANES = 16
"""Each takes about 0.4 GB at 4096 x 4096 pixels."""


def concurrency(spec: AutoPick, device: str) -> int:
    """As many as there are workers on a GPU, else as many as all of them have threads."""
    wanted = spec.compute
    if device != "cpu":
        return wanted.workers
    threads = wanted.threads or max(1, torch.get_num_threads() // wanted.workers)
    return min(wanted.workers * threads, MOST_LANES)
