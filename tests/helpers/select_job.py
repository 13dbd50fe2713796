"""Runs of Select on fifteen extracted particles, and their classes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cryoflow.files.mrc import write_mrc
from cryoflow.files.star import read_star, write_star
from cryoflow.files.tables import read_particles
from cryoflow.jobs.select.run import run
from cryoflow.project.context import JobResult
from cryoflow.spec import parse_spec
from helpers.particle_project import Listener, context

PARTICLES = {"select_from_particles_star": "Extract/job012/particles.star"}
MODEL = {"select_classes_from_model_star": "Class2D/job015/run_it025_model.star"}
MICROGRAPHS = "CtfFind/job003/micrographs_ctf.star"
FOM = "rlnAutopickFigureOfMerit"


def select(project: Path, job: str = "Select/job014", **given: Any) -> tuple[JobResult, Listener]:
    where = context(project, job)
    result = run(parse_spec({"job": "Select", **given}), where)
    assert isinstance(where.report, Listener)
    for name in result.outputs:
        assert (project / name).is_file()
    return result, where.report


def given_rows(project: Path) -> pd.DataFrame:
    return read_particles(project / "Extract/job012/particles.star").rows


def kept(project: Path, name: str = "particles.star") -> list[str]:
    return read_particles(project / "Select/job014" / name).rows["rlnImageName"].tolist()


def selected(project: Path) -> list[int]:
    block = read_star(project / "Select/job014/backup_selection.star")[""]
    assert isinstance(block, pd.DataFrame)
    return block["rlnSelected"].tolist()


def classified(project: Path, groups: bool = True) -> None:
    y, x = np.mgrid[:16, :16] - 8
    spots = [np.exp(-((y - dy) ** 2 + (x - dx) ** 2) / 6) for dy, dx in ((0, 2), (3, 0), (-1, -2))]
    folder = project / "Class2D/job015"
    write_mrc(folder / "run_it025_classes.mrcs", np.array(spots, np.float32), 0)
    names = [f"00000{i}@Class2D/job015/run_it025_classes.mrcs" for i in (1, 2, 3)]
    classes = pd.DataFrame({"rlnReferenceImage": names, "rlnClassDistribution": [0.5, 0.2, 0.3]})
    blocks: dict[str, Any] = {"model_general": {"rlnPixelSize": 3.54}, "model_classes": classes}
    if groups:
        scales = {"rlnGroupNumber": [1, 2, 3], "rlnGroupScaleCorrection": [1.1, 0.9, 1.0]}
        blocks["model_groups"] = pd.DataFrame(scales)
    write_star(folder / "run_it025_model.star", blocks)
    rows = given_rows(project).assign(rlnClassNumber=[1, 2, 3] * 5, rlnGroupNumber=np.repeat([1, 2, 3], 5))
    write_star(folder / "run_it025_data.star", {"": rows})
