"""Which optics values make one group."""

import pandas as pd
import pytest

from cryoflow.files.optics import split_optics


@pytest.mark.parametrize(
    ("pixel_sizes_a", "groups"),
    [
        ([1.77, 1.77 * (1 + 5e-5), 1.77], [1, 1, 1]),  # a rounding
        ([1.77, 1.77 * 1.0005, 1.77], [1, 2, 1]),  # calibrated a second time
        ([1.0, 1.05, 1.1], [1, 2, 3]),
        ([300.0, 300.001, 200.0], [1, 1, 2]),
    ],
)
def test_values_within_a_ten_thousandth_share_a_group(pixel_sizes_a: list[float], groups: list[int]) -> None:
    rows = pd.DataFrame({"rlnImageName": ["1@a", "2@a", "3@a"], "rlnImagePixelSize": pixel_sizes_a})
    optics, rest = split_optics(rows, ())
    assert rest["rlnOpticsGroup"].tolist() == groups
    first = dict(zip(reversed(groups), reversed(pixel_sizes_a), strict=True))
    assert optics["rlnImagePixelSize"].tolist() == [first[group] for group in sorted(first)]
