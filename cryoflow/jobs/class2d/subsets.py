"""Which particles an iteration uses."""

from __future__ import annotations

from torch import Tensor

from cryoflow.seeds import seed_for
from cryoflow.spec import Class2D

PER_CLASS = 100
"""Particles of each class in the first iterations of a run with fast subsets."""


def subset_of(spec: Class2D, seeds: Tensor, iteration: int) -> Tensor | None:
    """Indices of the particles to use, in the order of the table; None for all.

    Fast subsets: 100 particles a class up to iteration 5, 300 up to 10, then up to 15 the larger of that and
    30 % of all. Which ones depends on the seeds of the particles and the iteration, not on their order.
    """
    if not spec.optimization.use_fast_subsets:
        return None
    classes, total = spec.optimization.number_of_classes, len(seeds)
    size = PER_CLASS * classes if iteration <= 5 else 3 * PER_CLASS * classes
    if iteration > 10:
        size = max(size, int(0.3 * total))
    if iteration > 15 or size >= total:
        return None
    salt = seed_for(spec.compute.seed, "class2d subset", str(iteration))
    mixed = (seeds ^ salt) * 0x5851F42D4C957F2D  # wraps around, which mixes the bits
    return mixed.argsort(stable=True)[:size].sort().values
