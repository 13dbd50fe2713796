"""Small classification problems with known answers."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from cryoflow.compute.class2d import Data, Model, Options, Particles
from cryoflow.compute.image.ctf import CtfParameters

PIXEL = 4.0


def phantom(box: int, kind: int) -> np.ndarray:
    """Bright blobs without symmetry, one arrangement a kind: ``(box, box)``."""
    y, x = np.mgrid[:box, :box] - box // 2
    places = [
        ((-6, -3, 1.6), (0, -3, 2.0), (5, -3, 1.6), (5, 4, 1.4)),
        ((0, -5, 2.6), (1, 2, 1.4), (-1, 7, 1.4)),
    ][kind]
    scale = box / 32
    out = np.zeros((box, box))
    for cy, cx, width in places:
        out += np.exp(-((y - cy * scale) ** 2 + (x - cx * scale) ** 2) / (2 * (width * scale) ** 2))
    return out


def ctf_parameters(defocus_a: np.ndarray) -> CtfParameters:
    """Slightly astigmatic CTFs at 200 kV."""
    number = len(defocus_a)

    def of(value: float) -> Tensor:
        return torch.full((number,), value, dtype=torch.float64)

    u = torch.as_tensor(defocus_a, dtype=torch.float64)
    return CtfParameters(u, u - 300, of(30), of(200), of(1.4), of(0.1), of(0), of(0), of(1))


def particles(number: int) -> Particles:
    """Nothing known."""
    zeros = torch.zeros(number, dtype=torch.float64)
    whole = torch.zeros(number, dtype=torch.int64)
    return Particles(
        zeros, torch.zeros(number, 2, dtype=torch.float64), whole - 1, zeros + 1, zeros, zeros, whole
    )


def data(images: Tensor, groups: int = 1, defocus_a: np.ndarray | None = None) -> Data:
    """Images ``(N, n, n)`` as measured particles, groups taking turns."""
    number = len(images)
    defocus_a = np.linspace(9000, 12000, number) if defocus_a is None else defocus_a
    seeds = torch.from_numpy(np.random.default_rng(7).integers(0, 2**63 - 1, number))
    return Data(lambda i: images[i], ctf_parameters(defocus_a), torch.arange(number) % groups, seeds)


def model(references: Tensor, noise: Tensor, **changed: Any) -> Model:
    """References ``(K, n, n)`` with even shares and noise spectra ``(G, S)``."""
    classes, shells = len(references), references.shape[-1] // 2 + 1
    spectra = torch.full((classes, shells), 10.0, dtype=torch.float64)
    zeros = torch.zeros(classes, dtype=torch.float64)
    plain = Model(
        references, zeros + 1 / classes, torch.zeros(classes, 2, dtype=torch.float64), spectra, spectra,
        spectra, spectra, noise, torch.ones(len(noise), dtype=torch.float64), 1.0, 4.0, 5, 0.0, 0.0,
        zeros, zeros, spectra,
    )  # fmt: skip
    return plain._replace(**changed)


def options(box: int, **changed: Any) -> Options:
    """Coarse steps of 90 degrees and 2 pixels, few enough for loops."""
    small = {"psi_step_deg": 90.0, "offset_range_px": 2.0, "offset_step_px": 2.0}
    return Options(
        **{"box": box, "pixel_size_a": PIXEL, "mask_diameter_a": PIXEL * box * 0.7, **small, **changed}
    )
