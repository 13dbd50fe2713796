"""A project with micrographs and references."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.autopick_job import PIXEL, SHAPES, particle, table

from cryoflow.files.mrc import write_mrc
from cryoflow.files.star import write_star


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for seed, (name, shape) in enumerate(SHAPES.items()):
        rng = np.random.default_rng(seed)
        image = rng.normal(size=shape)
        for y, x in ((40, 40), (90, 60), (60, 90), (100, 95)):
            image[y - 12 : y + 12, x - 12 : x + 12] -= 2 * np.rot90(particle(), rng.integers(4))
        write_mrc(tmp_path / f"Movies/{name}.mrc", image.astype(np.float32), PIXEL)
    table(tmp_path, list(SHAPES))
    write_mrc(tmp_path / "refs.mrcs", np.stack([particle(), particle().T]).astype(np.float32), PIXEL)
    names = [f"{number:06d}@refs.mrcs" for number in (1, 2)]
    write_star(tmp_path / "refs.star", {"": pd.DataFrame({"rlnReferenceImage": names})})
    return tmp_path
