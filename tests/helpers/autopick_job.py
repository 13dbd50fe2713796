"""A project with three small micrographs, and runs of AutoPick on it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cryoflow.files.star import write_star
from cryoflow.jobs.autopick.run import run
from cryoflow.project.context import JobContext, JobResult, Reporter
from cryoflow.spec import AutoPick

PIXEL, BOX = 4.0, 24
SHAPES = {"a": (128, 150), "b": (128, 150), "c": (161, 120)}
COLUMNS = ["rlnCoordinateX", "rlnCoordinateY", "rlnClassNumber", "rlnAutopickFigureOfMerit", "rlnAnglePsi"]
CTF = {
    "rlnDefocusU": 11000.0, "rlnDefocusV": 10500.0, "rlnDefocusAngle": 20.0, "rlnVoltage": 200.0,
    "rlnSphericalAberration": 1.4, "rlnAmplitudeContrast": 0.1, "rlnMagnification": 10000.0,
    "rlnDetectorPixelSize": PIXEL,
}  # fmt: skip


class Ears(Reporter):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def warn(self, line: str) -> None:
        self.lines.append(line)


def particle() -> np.ndarray:
    y, x = np.mgrid[:BOX, :BOX] - BOX // 2
    lobes = np.exp(-((y - 2) ** 2 + (x + 3) ** 2) / 8) + 0.7 * np.exp(-((y + 3) ** 2 + (x - 2) ** 2) / 6)
    return np.asarray(lobes * (y**2 + x**2 < 9**2))


def table(project: Path, names: list[str], **columns: Any) -> None:
    rows = pd.DataFrame({"rlnMicrographName": [f"Movies/{name}.mrc" for name in names], **CTF | columns})
    write_star(project / "mics.star", {"": rows})


def spec(**changes: Any) -> AutoPick:
    """Fields by dotted name with ``__``."""
    sections: dict[str, dict[str, Any]] = {
        "io": {"input_micrographs_for_autopick": "mics.star", "reference_2d": "refs.star"},
        "references": {"lowpass_filter_references": 20, "in_plane_angular_sampling": 30},
        "autopicking": {
            "picking_threshold": 0.3,
            "minimum_inter_particle_distance": 40,
            "maximum_stddev_noise": None,
            "shrink_factor": 0,
        },
    }
    for dotted, value in changes.items():
        section, name = dotted.split("__")
        sections.setdefault(section, {})[name] = value
    return AutoPick(**sections)  # type: ignore[arg-type]


def pick(project: Path, job: str = "job010", **changes: Any) -> tuple[JobResult, list[str]]:
    ears = Ears()
    directory = project / "AutoPick" / job
    known = directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    result = run(spec(**changes), JobContext(project, directory, report=ears, continuing=known))
    return result, ears.lines


def coordinates(project: Path, job: str = "job010") -> dict[str, bytes]:
    folder = project / "AutoPick" / job / "Movies"
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*_autopick.star"))}
