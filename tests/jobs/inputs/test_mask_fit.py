"""Masks that fit the particle, cut it, or are much too wide; on RELION's own averages none is warned of."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cryoflow.compute.image.averages import median_correlation
from cryoflow.files.mrc import read_stack
from cryoflow.files.star import read_star
from cryoflow.jobs.class2d.progress import ALIKE
from cryoflow.jobs.inputs.mask_fit import mask_warning

N, PIXEL = 128, 3.0
Y, X = np.mgrid[:N, :N] - N // 2
PARTICLE = torch.from_numpy(np.exp(-(np.hypot(Y, X) ** 4) / 2 / 8**4))[None]
"""Some 64 A across."""


def test_only_masks_of_another_size_are_warned_of() -> None:
    ones = torch.ones(1)
    assert not any(mask_warning(PARTICLE, ones, diameter, PIXEL) for diameter in (64, 80, 120, 160))
    small, large = (mask_warning(PARTICLE, ones, diameter, PIXEL) for diameter in (40, 380))
    assert small and small.startswith("the mask diameter of 40 A seems to cut the particle")
    assert large and large.startswith("the mask diameter of 380 A is much larger")
    enough = float(large.partition("about ")[2].partition(" A")[0])
    assert 64 < enough < 160 and mask_warning(PARTICLE, ones, enough, PIXEL) is None


@pytest.mark.reference
@pytest.mark.parametrize("job", ["job008", "job015"])
def test_relions_averages_raise_no_alarm(reference: Path, job: str) -> None:
    model = next((reference / "bgal/Class2D" / job).glob("run_it025_model.star"))
    averages = torch.from_numpy(np.array(read_stack(model.with_name("run_it025_classes.mrcs"))))
    blocks = read_star(model)
    general, classes = blocks["model_general"], blocks["model_classes"]
    assert isinstance(general, dict) and isinstance(classes, pd.DataFrame)
    pixel = float(general["rlnPixelSize"])
    share = torch.tensor(classes["rlnClassDistribution"].to_numpy(float))
    assert mask_warning(averages, share, 200, pixel) is None
    assert mask_warning(averages, share, 90, pixel)
    assert median_correlation(averages[share > 0], 100 / pixel) < ALIKE - 0.1
