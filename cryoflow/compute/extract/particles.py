"""From a micrograph and positions to particle images: window, rescale, replace dust, normalise, invert."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.extract.normalize import (
    background,
    background_radius,
    normalize,
    remove_dust,
)
from cryoflow.compute.extract.windows import Corners, cut
from cryoflow.compute.image.masks import outside_disc
from cryoflow.compute.image.resize import rescale
from cryoflow.errors import CryoflowError
from cryoflow.seeds import seed_for

AT_ONCE = {"cpu": 1 << 19, "cuda": 1 << 25}
"""Pixels of windows processed at a time: on a CPU, as many as fit into its caches."""
SHARES = 4
"""Results are computed in this many times smaller parts, so that threads have enough to share."""
AUTOMATIC_CIRCLE = 0.75
"""Diameter of the background circle as part of the box, when none is given."""
FEWEST_BACKGROUND_PIXELS = 5


class ExtractSettings(NamedTuple):
    """Settings of particle images; sizes in pixels."""

    size: int
    """Even box in the micrograph."""
    rescaled: int
    """Even box of the result; equal to ``size`` for no rescaling."""
    background_diameter: float
    """Diameter of the particle's circle, in pixels of the box before rescaling."""
    normalize: bool = True
    invert: bool = True
    white: float | None = None
    """Background standard deviations that make white dust; None for off."""
    black: float | None = None

    @property
    def radius(self) -> int:
        """Radius of the particle's circle in pixels of the result."""
        return background_radius(self.background_diameter, self.size, self.rescaled)


def extract_settings(
    size: int,
    rescaled: int | None,
    background_diameter: float | None,
    normalize: bool,
    invert: bool,
    white: float | None,
    black: float | None,
) -> ExtractSettings:
    """Settings with the box for ``rescaled`` and three quarters of it for the circle where these are None.

    Raises
    ------
    CryoflowError
        When the circle leaves too little background to normalise on.
    """
    circle = AUTOMATIC_CIRCLE * size if background_diameter is None else background_diameter
    settings = ExtractSettings(size, rescaled or size, circle, normalize, invert, white, black)
    corners = int(outside_disc(settings.rescaled, settings.radius).sum())
    if normalize and corners < FEWEST_BACKGROUND_PIXELS:
        raise CryoflowError(
            f"the background circle leaves {corners} pixels of the box to normalise on; make it smaller"
        )
    return settings


def dust_seeds(seed: int, micrograph: str, y: Iterable[float], x: Iterable[float]) -> list[int]:
    """Seeds of the noise that replaces dust: of a place on a micrograph, not of its number in a list."""
    return [seed_for(seed, micrograph, f"{a:.2f} {b:.2f}") for a, b in zip(y, x, strict=True)]


def extract(
    micrograph: Tensor,
    begin: Corners,
    settings: ExtractSettings,
    seeds: Sequence[int],
    dtype: torch.dtype = torch.float32,
    spread: Callable[..., Iterable[Tensor]] = map,
) -> Iterator[Tensor]:
    """Particle images of one micrograph, some at a time.

    Parameters
    ----------
    micrograph : Tensor
        ``(h, w)``, of any number type.
    begin : Corners
        Windows of ``settings.size`` that all touch the micrograph
        (`cryoflow.compute.extract.windows.touching`).
    settings : ExtractSettings
        Box, rescaling, normalisation, contrast, dust.
    seeds : sequence of int
        One a window, for the noise that replaces dust.
    dtype : torch.dtype
        Number type of the images, and of all that is computed.
    spread : callable
        As `map`, to process several parts concurrently.

    Yields
    ------
    Tensor
        ``(some, rescaled, rescaled)`` on the device of ``micrograph``, in the order of the windows. Each
        image is its own, but for rounding, which may depend on the others of its part.
    """
    pixels = AT_ONCE.get(micrograph.device.type, AT_ONCE["cuda"])
    finish = _finisher(settings, micrograph.device, dtype)

    def work(part: slice) -> Tensor:
        windows = (
            cut(micrograph, Corners(begin.y[few], begin.x[few]), settings.size, dtype)
            for few in _slices(part.start, part.stop, pixels // settings.size**2)
        )
        images = torch.cat([rescale(some, settings.rescaled) for some in windows])
        return finish(images, seeds[part])

    yield from spread(work, _slices(0, len(begin.y), pixels // SHARES // settings.rescaled**2))


def _slices(start: int, stop: int, step: int) -> list[slice]:
    step = max(step, 1)
    return [slice(first, min(first + step, stop)) for first in range(start, stop, step)]


def _finisher(
    settings: ExtractSettings, device: torch.device, dtype: torch.dtype
) -> Callable[[Tensor, Sequence[int]], Tensor]:
    """Function that finishes rescaled images, with their shared data prepared once."""
    sign = -1 if settings.invert else 1
    if not settings.normalize:
        return lambda images, _: images.mul_(sign)
    where = background(outside_disc(settings.rescaled, settings.radius, device), dtype)
    dusty = settings.white is not None or settings.black is not None

    def finish(images: Tensor, seeds: Sequence[int]) -> Tensor:
        if dusty:
            images = remove_dust(images, where, settings.white, settings.black, seeds).images
        return normalize(images, where).mul_(sign)

    return finish
