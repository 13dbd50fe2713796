"""Maximum memory of a classification, from its size alone, without torch."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cryoflow.files.mrc import read_header, split_image_name
from cryoflow.files.tables import read_particles
from cryoflow.spec import Class2D

CACHE_BYTES = 1 << 29
"""Images that take no more than this together are kept in memory; more are read, batch by batch, whenever
they are needed."""
PARTICLE_BYTES = 3000
"""Bytes of a particle's row in tables and tensors, and while it is written."""
WORKER_BYTES = 1 << 28
"""Bytes of the batch of particles of a thread."""
MARGIN = 1.15
"""Safety factor: measured peaks are below the estimate (20 to 200 classes, boxes of 32 to 128 pixels)."""

LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""Files with the limit and the current memory of the process's group."""


class Size(NamedTuple):
    """Parameters that determine the memory."""

    particles: int
    box: int
    classes: int
    psi_step_deg: float
    """Angular step of the fine grid."""
    threads: int
    double: bool = False


def class2d_size(spec: Class2D, particles: int, box: int, threads: int) -> Size:
    """Size of the job of a spec."""
    return Size(
        particles,
        box,
        spec.optimization.number_of_classes,
        spec.sampling.in_plane_angular_sampling,
        threads,
        spec.compute.precision == "double",
    )


def expected_bytes(spec: Class2D, project: Path) -> float:
    """Return the expected memory of a job whose particles exist."""
    earlier = str(spec.io.continue_from_here).replace("_optimiser.star", "_data.star")
    rows = read_particles(project / (spec.io.input_images_star_file or earlier)).rows
    box = read_header(project / split_image_name(str(rows["rlnImageName"].iloc[0]))[1]).nx
    threads = spec.compute.threads or os.cpu_count() or 1
    return expected_need(class2d_size(spec, len(rows), box, threads)).total


class Need(NamedTuple):
    """Bytes, in addition to the program itself."""

    particles: float
    """Table, poses and CTF."""
    images: float
    """Kept in memory."""
    search: float
    """Rotated references, sums and batches of all threads; the last iterations need most."""

    @property
    def total(self) -> float:
        """All of them."""
        return self.particles + self.images + self.search


def expected_need(size: Size) -> Need:
    """Estimate for transforms of the full box, which no iteration exceeds.

    Each class has a row for each fine angle, or for two that are opposite: three numbers at each of the
    pi/8 n^2 Fourier points. There are two sets of rows, and for each thread two sets of their sums, of which
    one is in double precision, and the rows it compares; and the padded transforms and gridded sums of the
    references.
    """
    number, box, real = size.classes, size.box, 8 if size.double else 4
    coarse = math.ceil(360 / (2 * size.psi_step_deg) - 1e-9)
    values = 3 * number * (coarse if coarse % 2 == 0 else 2 * coarse) * math.pi / 8 * box**2
    rows = 2.5 * real * values
    workers = size.threads * ((2 * real + 8) * values + WORKER_BYTES + number * 2 * box * (box + 1) * 24)
    references = number * 2 * box * (box + 1) * 128
    images = size.particles * box**2 * real
    return Need(
        float(size.particles * PARTICLE_BYTES),
        float(images) if size.particles * box**2 * 4 <= CACHE_BYTES else 0.0,
        MARGIN * (rows + workers + references),
    )


def free_bytes() -> float | None:
    """Memory that this process can still take: the machine's, or less where its group is limited; None where
    Linux does not report it."""
    with suppress(OSError, IndexError, ValueError):
        free = float(Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0]) * 1024
        return min([free, *_left_in_group()])
    return None


def _left_in_group() -> list[float]:
    left = []
    for limit, used in LIMITS:
        with suppress(OSError, ValueError):  # without a limit, the file says "max"
            left.append(float(Path(limit).read_text()) - float(Path(used).read_text()))
    return left
