"""A made-up map of symmetry D2, and micrographs of its particles in noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import rotate

from cryoflow.compute.image.ctf import CtfParameters, ctf_at
from cryoflow.compute.pick.references import prepare_references
from cryoflow.compute.projection.directions import asymmetric_directions
from cryoflow.compute.projection.map_projection import project

Pixels = npt.NDArray[np.float64]

HALF_TURNS = ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
BLOBS = 20
BLOB_SD = 1.5
"""Voxels."""
SPREAD = 0.33
"""Of the centres of blobs, share of the box."""
CONTRAST = 0.4
"""Sd of projections within the box, over that of the noise."""
VIEWS = 2
"""Order of the directions that particles are seen from: finer than those of the references."""
PARTICLES = 400
"""A micrograph."""


def d2_map(box: int, pixel_a: float, rng: np.random.Generator) -> Pixels:
    """Blobs and what three half turns make of them, in the greyscale of the micrographs, ``(z, y, x)``."""
    offset = np.arange(box) - box // 2
    volume = np.zeros((box, box, box))
    for centre in rng.normal(size=(BLOBS, 3)):
        centre *= SPREAD * box * rng.uniform() ** (1 / 3) / np.linalg.norm(centre)
        for signs in HALF_TURNS:
            z, y, x = (
                np.exp(-((offset - c * s) ** 2) / 2 / BLOB_SD**2) for c, s in zip(centre, signs, strict=True)
            )
            volume += z[:, None, None] * y[:, None] * x
    return np.asarray(volume * CONTRAST / _views(volume, pixel_a).std())


def _views(volume: Pixels, pixel_a: float) -> Pixels:
    directions = asymmetric_directions(VIEWS, "D2")
    return np.asarray(project(torch.from_numpy(volume), directions, pixel_a, None).numpy())


class Painter:
    """Paints micrographs.

    Parameters
    ----------
    volume : array
        From `d2_map`.
    volume_pixel_a, pixel_a : float
        Of the map and of the micrographs.
    diameter_a : float
        Of particles.
    ctf : CtfParameters
    """

    def __init__(
        self, volume: Pixels, volume_pixel_a: float, pixel_a: float, diameter_a: float, ctf: CtfParameters
    ) -> None:
        views = torch.from_numpy(_views(volume, volume_pixel_a))
        self._views = prepare_references(views, volume_pixel_a, pixel_a, diameter_a, True).images.numpy()
        self._pixel_a, self._ctf = pixel_a, ctf

    def paint(self, height: int, width: int, rng: np.random.Generator) -> Pixels:
        """Particles anywhere at any angle, times the CTF, in noise of sd 1."""
        box = self._views.shape[-1]
        image = np.zeros((height, width))
        for _ in range(PARTICLES):
            y, x = (int(rng.integers(n - box)) for n in (height, width))
            view = self._views[rng.integers(len(self._views))]
            image[y : y + box, x : x + box] += rotate(view, rng.uniform(0, 360), reshape=False, order=1)
        ky, kx = (f(n, self._pixel_a) for f, n in ((np.fft.fftfreq, height), (np.fft.rfftfreq, width)))
        gain = ctf_at(self._ctf, torch.from_numpy(ky)[:, None], torch.from_numpy(kx)[None])
        shown = np.fft.irfft2(np.fft.rfft2(image) * gain.numpy(), s=image.shape)
        return np.asarray(shown + rng.normal(size=image.shape))
