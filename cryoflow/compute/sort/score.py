"""Features of many particles, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from torch import Tensor

from cryoflow.compute.parallel import Mapper
from cryoflow.compute.sort.features import features
from cryoflow.compute.sort.residual import MatchedReferences, Poses, residuals

BATCH_PIXELS = {"cpu": 1 << 19, "gpu": 1 << 24}
"""Pixels of particles processed at a time; on the CPU by each thread."""


def batches_of(count: int, box: int, device: str) -> list[slice]:
    """Batches of ``count`` particles in boxes of ``box`` pixels."""
    step = max(1, BATCH_PIXELS["cpu" if device == "cpu" else "gpu"] // box**2)
    return [slice(first, first + step) for first in range(0, count, step)]


def particle_features(
    images: Callable[[slice], Tensor],
    batches: Sequence[slice],
    matched: MatchedReferences,
    poses: Poses,
    inside: Tensor,
    spread: Mapper,
) -> Iterator[Tensor]:
    """Give the features of each batch, float64 ``(m, 6)`` on the CPU, see `features`.

    Parameters
    ----------
    images : callable
        Takes a batch and gives its images ``(m, box, box)``, of the references' device and number type.
    batches : sequence of slice
        From `batches_of`.
    matched : MatchedReferences
        Of all particles.
    poses : Poses
        Of all particles.
    inside : Tensor
        The disc that counts, bool ``(box, box)``.
    spread : callable
        As `map`, to process several batches concurrently.
    """

    def work(batch: slice) -> Tensor:
        origins = (poses.origin_y[batch], poses.origin_x[batch])
        return features(residuals(images(batch), matched[batch], *origins), inside).cpu()

    found: Iterator[Tensor] = spread(work, batches)
    return found
