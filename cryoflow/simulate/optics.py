"""Image contrast from projected density."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from cryoflow.compute.image.ctf import CtfParameters, ctf_half_plane
from cryoflow.compute.image.resize import resize
from cryoflow.simulate.options import SimulateOptions

Array = npt.NDArray[np.float64]
Image = npt.NDArray[np.float32]

ENVELOPE_A2 = 80.0
"""B-factor of everything that the beam images."""


class Optics(NamedTuple):
    """Defocus of one micrograph, underfocus positive."""

    defocus_u_a: float
    defocus_v_a: float
    angle_deg: float
    """Azimuth of ``defocus_u_a`` from x towards +y."""


def random_optics(options: SimulateOptions, rng: np.random.Generator) -> Optics:
    """A defocus in the requested range with up to 400 A of astigmatism, to three decimals."""
    middle = rng.uniform(*options.defocus)
    half = rng.uniform(0, 200)
    values = (middle + half, middle - half, rng.uniform(0, 90))
    return Optics(*(round(float(value), 3) for value in values))


def image_contrast(density: Array, optics: Optics, options: SimulateOptions) -> Image:
    """Contrast of a weak phase object with amplitude contrast: minus its density, filtered by the CTF.

    Parameters
    ----------
    density : ndarray
        ``(h, w)`` projected density; taken as periodic, so leave room at the border.
    optics : Optics
        Defocus.
    options : SimulateOptions
        Pixel size, voltage, Cs, amplitude contrast.

    Returns
    -------
    ndarray
        ``(h, w)`` float32; dense matter is dark in underfocus.
    """
    height, width = density.shape
    ctf = ctf_half_plane(_parameters(optics, options), height, width, options.pixel_size)
    transform = torch.fft.rfft2(torch.from_numpy(density.astype(np.float32)))
    image = torch.fft.irfft2(transform * -ctf.to(torch.float32), s=(height, width))
    return np.asarray(image.numpy())


def smooth_field(size: tuple[int, int], spacing: float, rng: np.random.Generator) -> Image:
    """Random field of sd about 1, ``(h, w)``, without detail finer than two spacings (pixels)."""
    coarse = rng.standard_normal([int(np.ceil(n / spacing)) + 2 for n in size])
    return np.asarray(resize(torch.from_numpy(coarse.astype(np.float32)), *size).numpy())


def _parameters(optics: Optics, options: SimulateOptions) -> CtfParameters:
    microscope = (options.voltage, options.cs, options.amplitude_contrast)
    values = (*optics, *microscope, 0.0, ENVELOPE_A2, 1.0)
    return CtfParameters(*(torch.tensor(value, dtype=torch.float64) for value in values))
