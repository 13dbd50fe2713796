"""Warnings of a class selection that keeps junk, or everything."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.select_job import MODEL, classified, select

from cryoflow.jobs.select.junk import kept_junk_warnings
from cryoflow.spec.selection import Selection

KINDS = ["particle", "ice", "unclear", "carbon"]
PARTICLES = np.array([1, 1, 2, 2, 2, 3, 4])


def warnings(chosen: list[bool], **selection: Any) -> list[str]:
    classes = pd.DataFrame({"rlnClassNumber": [1, 2, 3, 4], "cryoflowClassKind": KINDS})
    kept = PARTICLES[np.array(chosen)[PARTICLES - 1]]
    return kept_junk_warnings(Selection(**selection), classes, np.array(chosen), kept)


def test_particles_of_junk_classes_are_counted() -> None:
    lines = warnings([True, True, False, True], classes={"top": 3, "by": "rlnClassDistribution"})
    assert lines == [
        "keeps 4 particles of classes that do not look like particles: 2 (ice), 4 (carbon); to drop them, "
        "set selection > class_score_min: 0.5, or name the classes to keep"
    ]
    assert warnings([True, False, True, False], classes={"top": 2, "by": "rlnClassDistribution"}) == []


def test_all_classes_kept_by_their_number_alone() -> None:
    top = {"top": 20, "by": "rlnClassDistribution"}
    assert [line.partition(";")[0] for line in warnings([True] * 4, classes=top)][1] == "keeps all 4 classes"
    assert "keeps all 4 classes" in warnings([True] * 4)[1]
    assert len(warnings([True] * 4, class_score_min=0.1)) == 1  # the junk, but all have passed a condition


def test_classes_that_someone_named_are_left_alone() -> None:
    assert warnings([True] * 4, classes=[1, 2, 3, 4]) == []


@pytest.mark.parametrize(
    ("selection", "warned"),
    [({"classes": {"top": 20, "by": "rlnClassDistribution"}}, True), ({"classes": {"top": 2}}, False)],
)
def test_job_warns(project: Path, selection: dict[str, Any], warned: bool) -> None:
    classified(project)
    _, report = select(project, io=MODEL, selection=selection)
    assert any("keeps all 3 classes; to drop them" in line for line in report.warned) == warned
