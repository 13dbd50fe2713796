"""Micrographs and references of noise, and jobs that pick from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cryoflow.files.mrc import write_mrc
from cryoflow.files.star import write_star
from cryoflow.jobs.autopick import run
from cryoflow.project.context import JobContext
from cryoflow.spec import AutoPick, parse_spec

BOX = 64
DIAMETER_A = 180.0
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


def make_project(root: Path, case: Case) -> None:
    rng = np.random.default_rng(0)
    names = [f"Micrographs/mic{number:03d}.mrc" for number in range(case.micrographs)]
    for name in names:
        pixels = rng.normal(1000, 100, (case.height, case.width)).astype(np.int16)
        write_mrc(root / name, pixels, case.pixel_a, mode=1)
    y, x = np.mgrid[:BOX, :BOX] - BOX // 2
    inside = np.hypot(y, x) * DIAMETER_A * 1.2 / BOX < DIAMETER_A / 2
    blobs = CONTRAST * (rng.normal(size=(case.references, BOX, BOX)) * inside + 0.3 * inside)
    write_mrc(root / "references.mrcs", blobs.astype(np.float32), DIAMETER_A * 1.2 / BOX)
    rows = pd.DataFrame({"rlnMicrographName": names}).assign(
        rlnDefocusU=10000.0, rlnDefocusV=10000.0, rlnDefocusAngle=0.0, rlnVoltage=200.0,
        rlnSphericalAberration=1.4, rlnAmplitudeContrast=0.1, rlnMagnification=10000.0,
        rlnDetectorPixelSize=case.pixel_a,
    )  # fmt: skip
    write_star(root / "micrographs.star", {"": rows})


def spec_of(case: Case, workers: int = 1) -> AutoPick:
    mapping: dict[str, Any] = {
        "job": "AutoPick",
        "io": {"input_micrographs_for_autopick": "micrographs.star", "reference_2d": "references.mrcs"},
        "references": {
            "mask_diameter": DIAMETER_A,
            "pixel_size_in_references": DIAMETER_A * 1.2 / BOX,
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
