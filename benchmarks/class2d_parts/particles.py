"""Particles to classify: projections of an object of 40 blobs in all directions, with CTF, in white noise."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from cryoflow.compute.image.ctf import ctf_half_plane
from cryoflow.files.mrc import write_mrc
from cryoflow.files.star import write_star
from cryoflow.jobs.inputs.ctf import ctf_parameters

PIXEL_A = 3.54
TABLE = "Extract/job012/particles.star"
EACH = 500
"""Particles of a micrograph."""
BATCH = 250


class Sample(NamedTuple):
    """What to simulate."""

    particles: int
    box: int
    snr: float
    """Variance of the signal over that of the noise."""


def make_particles(root: Path, sample: Sample) -> None:
    """Write ``Extract/job012`` of a project."""
    rng = np.random.default_rng(0)
    places = rng.normal(size=(40, 3))
    places *= 0.22 * sample.box * rng.uniform(0.4, 1, (40, 1)) / np.linalg.norm(places, axis=1, keepdims=True)
    tables = []
    for first in range(0, sample.particles, EACH):
        rows = _rows(first // EACH, min(EACH, sample.particles - first), rng)
        images = np.concatenate(
            [_images(rows[i : i + BATCH], places, sample, rng) for i in range(0, len(rows), BATCH)]
        )
        write_mrc(root / str(rows["rlnImageName"].iloc[0]).partition("@")[2], images, PIXEL_A)
        tables.append(rows)
    write_star(root / TABLE, {"": pd.concat(tables)})


def _rows(micrograph: int, number: int, rng: np.random.Generator) -> pd.DataFrame:
    name = f"mic{micrograph:05d}"
    stack = f"Extract/job012/Movies/{name}.mrcs"
    images = [f"{i + 1:06d}@{stack}" for i in range(number)]
    return pd.DataFrame({"rlnImageName": images}).assign(
        rlnMicrographName=f"MotionCorr/job002/Movies/{name}.mrc",
        rlnDefocusU=rng.uniform(8000, 20000), rlnVoltage=200.0, rlnSphericalAberration=1.4,
        rlnAmplitudeContrast=0.1, rlnMagnification=10000.0, rlnDetectorPixelSize=PIXEL_A,
    )  # fmt: skip


def _images(rows: pd.DataFrame, places: np.ndarray, sample: Sample, rng: np.random.Generator) -> np.ndarray:
    """Each blob is a product of a profile along y and one along x."""
    turned = np.einsum("nij,bj->nbi", np.linalg.qr(rng.normal(size=(len(rows), 3, 3)))[0], places)
    moved = turned[..., :2] + rng.normal(size=(len(rows), 1, 2)) + sample.box // 2
    profile = np.exp(-((moved[..., None] - np.arange(sample.box)) ** 2) / (2 * 1.5**2)).astype(np.float32)
    clean = torch.from_numpy(np.einsum("nby,nbx->nyx", profile[:, :, 0], profile[:, :, 1], optimize=True))
    ctf = ctf_half_plane(ctf_parameters(rows), sample.box, sample.box, PIXEL_A)
    seen = torch.fft.irfft2(torch.fft.rfft2(clean) * ctf.float(), s=(sample.box, sample.box)).numpy()
    signal = seen.std() / np.sqrt(sample.snr)
    return (seen / signal + rng.normal(size=seen.shape)).astype(np.float32)
