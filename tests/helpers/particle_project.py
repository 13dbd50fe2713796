"""A project with three small micrographs, for the tests of Extract, Sort and Select."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cryoflow.files.mrc import write_mrc
from cryoflow.files.star import write_star
from cryoflow.project.context import JobContext, Reporter
from cryoflow.spec import parse_spec

SIZE = (61, 80)
PIXEL = 2.0
BLOBS = {
    "job": "AutoPick",
    "io": {
        "input_micrographs_for_autopick": "CtfFind/job003/micrographs_ctf.star",
        "use_laplacian_of_gaussian": True,
    },
    "laplacian": {"min_diameter_for_log_filter": 12, "max_diameter_for_log_filter": 24},
}
"""A spec that picks from the three micrographs in no time."""


class Listener(Reporter):
    """Remembers what a job says."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []

    def say(self, line: str) -> None:
        self.said.append(line)

    def warn(self, line: str) -> None:
        self.warned.append(line)


def micrograph(number: int) -> np.ndarray:
    return np.random.default_rng(number).normal(100, 10, size=SIZE).astype(np.float32)


def picks(number: int) -> pd.DataFrame:
    """Five picks; the first lies partly outside, all have fractions."""
    rng = np.random.default_rng(100 + number)
    y, x = rng.uniform(10, SIZE[0] - 10, 5), rng.uniform(10, SIZE[1] - 10, 5)
    y[0], x[0] = 1.7, SIZE[1] - 2.2
    scores = rng.uniform(size=5)
    psi, classes = np.array([0.0, 5.0, 90.0, 5.0, 355.0]), np.array([1, 2, 1, 1, 2])
    columns = {"rlnCoordinateX": x, "rlnCoordinateY": y, "rlnClassNumber": classes}
    return pd.DataFrame({**columns, "rlnAutopickFigureOfMerit": scores, "rlnAnglePsi": psi})


def micrograph_rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "rlnMicrographName": [f"MotionCorr/job002/Movies/mic{i}.mrc" for i in (1, 2, 3)],
            "rlnDefocusU": [9000.0, 10000.0, 11000.0],
            "rlnDefocusV": [8900.0, 9900.0, 10900.0],
            "rlnDefocusAngle": [10.0, 20.0, 30.0],
            "rlnVoltage": 200.0,
            "rlnSphericalAberration": 1.4,
            "rlnAmplitudeContrast": 0.1,
            "rlnMagnification": 10000.0,
            "rlnDetectorPixelSize": PIXEL,
        }
    )


def make_project(root: Path) -> Path:
    for number in (1, 2, 3):
        write_mrc(root / f"MotionCorr/job002/Movies/mic{number}.mrc", micrograph(number), PIXEL)
        write_star(root / f"AutoPick/job011/Movies/mic{number}_autopick.star", {"": picks(number)})
    write_star(root / "CtfFind/job003/micrographs_ctf.star", {"": micrograph_rows()})
    (root / "AutoPick/job011/coords_suffix_autopick.star").write_text("CtfFind/job003/micrographs_ctf.star\n")
    return root


def context(root: Path, job: str, **options: Any) -> JobContext:
    directory = root / job
    directory.mkdir(parents=True, exist_ok=True)
    return JobContext(root, directory, report=Listener(), **options)


def extract_spec(io: dict[str, Any] | None = None, tab: dict[str, Any] | None = None, **rest: Any) -> Any:
    coordinates = {"input_coordinates": "AutoPick/job011/coords_suffix_autopick.star"}
    source = {"micrograph_star_file": "CtfFind/job003/micrographs_ctf.star", **coordinates, **(io or {})}
    extract = {"particle_box_size": 24, **(tab or {})}
    return parse_spec({"job": "Extract", "io": source, "extract": extract, **rest})


def listener(job: JobContext) -> Listener:
    assert isinstance(job.report, Listener)
    return job.report
