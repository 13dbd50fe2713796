"""Warnings of settings that can be used but are hardly meant."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.autopick_job import pick, spec

from cryoflow.jobs.autopick.references import GivenReferences
from cryoflow.jobs.autopick.setting_warnings import _warnings

Y, X = np.mgrid[:64, :64] - 32
REFERENCES = torch.from_numpy(np.exp(-(np.hypot(Y, X) ** 4) / 2 / 12**4))[None]


def warned(pixel_size_a: float = 2.0, reference_a: float = 4.0, **changes: float) -> list[str]:
    given = GivenReferences(REFERENCES, reference_a, None, ())
    return list(_warnings(spec(**changes), pixel_size_a, given))


def test_usual_settings_are_not_warned_of() -> None:
    assert warned() == []
    assert warned(references__mask_diameter=140) == []


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"autopicking__minimum_inter_particle_distance": 0}, "minimum inter-particle distance 0"),
        ({"references__lowpass_filter_references": 7.9}, "7.9 A is beyond Nyquist of the references (8 A)"),
        ({"references__mask_diameter": 60}, "references: the mask diameter of 60 A seems to cut"),
        ({"references__mask_diameter": 600}, "references: the mask diameter of 600 A is much larger"),
    ],
)
def test_each_setting_has_its_line(changes: dict[str, float], line: str) -> None:
    (found,) = warned(**changes)
    assert line in found


def test_nyquist_is_that_of_the_coarser_pixels() -> None:
    (found,) = warned(6.0, references__lowpass_filter_references=11)
    assert "beyond Nyquist of the micrographs (12 A)" in found
    assert warned(6.0, references__lowpass_filter_references=12) == []


def test_the_job_warns(project: Path) -> None:
    _, lines = pick(project, autopicking__minimum_inter_particle_distance=0)
    assert any(line.startswith("minimum inter-particle distance 0") for line in lines)
