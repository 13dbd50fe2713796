"""A project with particles to classify."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.class2d_job import EACH, PIXEL, blobs

from cryoflow.files.mrc import write_mrc
from cryoflow.files.star import write_star


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two stacks of twelve particles and their table."""
    rng = np.random.default_rng(5)
    rows = []
    for mic in (2, 1):
        stack = f"Extract/job012/Movies/mic{mic}.mrcs"
        (tmp_path / stack).parent.mkdir(parents=True, exist_ok=True)
        write_mrc(tmp_path / stack, blobs(rng, EACH), PIXEL)
        rows += [
            {
                "rlnImageName": f"{i + 1:06d}@{stack}",
                "rlnMicrographName": f"MotionCorr/job002/Movies/mic{mic}.mrc",
            }
            for i in range(EACH)
        ]
    table = pd.DataFrame(rows).assign(
        rlnDefocusU=10000.0, rlnVoltage=200.0, rlnSphericalAberration=1.4, rlnAmplitudeContrast=0.1,
        rlnMagnification=10000.0, rlnDetectorPixelSize=PIXEL, rlnOriginX=0.0, rlnOriginY=0.0,
    )  # fmt: skip
    write_star(tmp_path / "Extract/job012/particles.star", {"": table})
    return tmp_path
