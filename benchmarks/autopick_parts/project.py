"""Micrographs and references of noise or of particles of a map, and jobs that pick from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from benchmarks.autopick_parts.particles import Painter, d2_map
from cryoflow.compute.image.ctf import CtfParameters
from cryoflow.files.mrc import write_mrc
from cryoflow.files.star import write_star
from cryoflow.jobs.autopick.run import run
from cryoflow.project.context import JobContext
from cryoflow.spec import AutoPick, parse_spec

BOX = 64
DIAMETER_A = 180.0
PIXEL_A = DIAMETER_A * 1.2 / BOX
"""Of the references."""
CTF = {
    "rlnDefocusU": 10000.0,
    "rlnDefocusV": 10000.0,
    "rlnDefocusAngle": 0.0,
    "rlnVoltage": 200.0,
    "rlnSphericalAberration": 1.4,
    "rlnAmplitudeContrast": 0.1,
}
CONTRAST = 0.6
"""Weak enough that noise has tens of thousands of candidates a micrograph, as real references have."""


class Case(NamedTuple):
    micrographs: int
    height: int
    width: int
    pixel_a: float
    references: int
    angle: float
    shrink: float
    threshold: float
    merit: str
    error: float | None
    with_map: bool = False
    """Projections of a map as references, and its particles in the micrographs; else both are noise."""


def make_project(root: Path, case: Case) -> None:
    rng = np.random.default_rng(0)
    names = [f"Micrographs/mic{number:03d}.mrc" for number in range(case.micrographs)]
    painter = _map_painter(root, case, rng) if case.with_map else None
    for name in names:
        if painter is None:
            pixels = rng.normal(1000, 100, (case.height, case.width))
        else:
            pixels = 1000 + 100 * painter.paint(case.height, case.width, rng)
        write_mrc(root / name, pixels.astype(np.int16), case.pixel_a, mode=1)
    if painter is None:
        _noise_references(root, case, rng)
    rows = pd.DataFrame({"rlnMicrographName": names}).assign(
        **CTF, rlnMagnification=10000.0, rlnDetectorPixelSize=case.pixel_a
    )
    write_star(root / "micrographs.star", {"": rows})


def _map_painter(root: Path, case: Case, rng: np.random.Generator) -> Painter:
    volume = d2_map(BOX, PIXEL_A, rng)
    write_mrc(root / "map.mrc", volume.astype(np.float32), PIXEL_A)
    values = (*CTF.values(), 0.0, 0.0, 1.0)
    ctf = CtfParameters(*(torch.tensor(value, dtype=torch.float64) for value in values))
    return Painter(volume, PIXEL_A, case.pixel_a, DIAMETER_A, ctf)


def _noise_references(root: Path, case: Case, rng: np.random.Generator) -> None:
    y, x = np.mgrid[:BOX, :BOX] - BOX // 2
    inside = np.hypot(y, x) * PIXEL_A < DIAMETER_A / 2
    blobs = CONTRAST * (rng.normal(size=(case.references, BOX, BOX)) * inside + 0.3 * inside)
    write_mrc(root / "references.mrcs", blobs.astype(np.float32), PIXEL_A)


def spec_of(case: Case, workers: int = 1) -> AutoPick:
    wanted: dict[str, Any] = {"reference_2d": "references.mrcs"}
    if case.with_map:
        wanted = {"provide_a_3d_reference": True, "reference_3d": "map.mrc", "symmetry": "D2"}
    mapping: dict[str, Any] = {
        "job": "AutoPick",
        "io": {"input_micrographs_for_autopick": "micrographs.star", **wanted},
        "references": {
            "mask_diameter": DIAMETER_A,
            "pixel_size_in_references": PIXEL_A,
            "in_plane_angular_sampling": case.angle,
        },
        "autopicking": {
            "picking_threshold": case.threshold,
            "shrink_factor": case.shrink,
            "figure_of_merit": case.merit,
            "template_error": case.error,
        },
        "compute": {"threads": 1, "workers": workers},
    }
    spec = parse_spec(mapping)
    assert isinstance(spec, AutoPick)
    return spec


def job(root: Path, case: Case, workers: int, name: str) -> None:
    directory = root / "AutoPick" / name
    directory.mkdir(parents=True, exist_ok=True)
    run(spec_of(case, workers), JobContext(root, directory))
