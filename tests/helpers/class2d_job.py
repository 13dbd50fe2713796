"""A project with two stacks of bars, and runs of Class2D on it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cryoflow.files.star import read_star, write_star
from cryoflow.files.tables import read_particles
from cryoflow.jobs.class2d.run import run
from cryoflow.project.context import JobContext, JobResult
from cryoflow.spec import Class2D, parse_spec
from helpers.particle_project import Listener

BOX, EACH = 24, 12
PIXEL = 4.0


def blobs(rng: np.random.Generator, number: int) -> np.ndarray:
    """Bars at random angles in noise, background of mean 0 and deviation 1."""
    y, x = np.mgrid[:BOX, :BOX] - BOX // 2
    angle = rng.uniform(0, np.pi, number)[:, None, None]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    images = 3 * np.exp(-((along - 2) ** 2) / 30 - across**2 / 6) + rng.normal(size=(number, BOX, BOX))
    return images.astype(np.float32)


def spec(iterations: int = 2, classes: int = 2, **sections: Any) -> Class2D:
    plain: dict[str, Any] = {
        "job": "Class2D",
        "io": {"input_images_star_file": "Extract/job012/particles.star"},
        "optimization": {
            "number_of_classes": classes,
            "number_of_iterations": iterations,
            "mask_diameter": 60,
        },
        "sampling": {"in_plane_angular_sampling": 20, "offset_search_range": 2},
    }
    for name, changed in sections.items():
        plain[name] = {**plain.get(name, {}), **changed}
    made = parse_spec(plain)
    assert isinstance(made, Class2D)
    return made


def classify(
    project: Path, given: Class2D, job: str = "job015", continuing: bool = False
) -> tuple[JobResult, Listener]:
    directory = project / "Class2D" / job
    directory.mkdir(parents=True, exist_ok=True)
    listener = Listener()
    return run(given, JobContext(project, directory, report=listener, continuing=continuing)), listener


def change(project: Path, **columns: Any) -> None:
    path = project / "Extract/job012/particles.star"
    table = read_particles(path).rows.assign(**columns)
    write_star(path, {"": table.drop(columns=[c for c in columns if columns[c] is None])})


def shares(project: Path, job: str, iteration: int) -> np.ndarray:
    model = read_star(project / f"Class2D/{job}/run_it{iteration:03d}_model.star")["model_classes"]
    assert isinstance(model, pd.DataFrame)
    return model["rlnClassDistribution"].to_numpy()
