"""Report the expected memory of a job, and warn if it is not available."""

from __future__ import annotations

import torch

from cryoflow.jobs.class2d.memory import Need, class2d_size, expected_need, free_bytes
from cryoflow.project.context import JobContext
from cryoflow.spec import Class2D


def report_memory(spec: Class2D, context: JobContext, particles: int, box: int) -> None:
    """Report the expected memory, and warn if it exceeds what is free."""
    need = expected_need(class2d_size(spec, particles, box, torch.get_num_threads()))
    free = free_bytes()
    context.report.say(_line(need, free))
    wanted = need.total if context.device == "cpu" else need.total - need.search
    if free is not None and wanted > free:
        context.report.warn(
            f"this needs up to {_gb(wanted)} of memory, and only {_gb(free)} are free: the job may "
            "be killed; use fewer threads or classes, or a machine with more memory"
        )


def _line(need: Need, free: float | None) -> str:
    kept = f"images {_gb(need.images)}" if need.images else "images read in batches"
    there = "" if free is None else f"; {_gb(free)} are free"
    return (
        f"memory at most {_gb(need.total)} besides the program: particles {_gb(need.particles)}, {kept}, "
        f"references and sums {_gb(need.search)}{there}"
    )


def _gb(number: float) -> str:
    return f"{number / 1e9:.2g} GB"
