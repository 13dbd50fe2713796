"""Which point of a sweep is nearest to a proposed threshold, and where lower thresholds pick fewer."""

from typing import Any

import pandas as pd

from cryoflow.jobs.autopick.sweep_notes import sweep_notes

GAP = float("nan")


def table(**columns: Any) -> pd.DataFrame:
    count = len(columns["picking_threshold"])
    jobs = [f"AutoPick/job{number:03d}" for number in range(1, count + 1)]
    return pd.DataFrame(
        {"job": jobs, "state": "done", "particles": list(range(99, 99 - count, -1))} | columns
    )


def test_the_lowest_threshold_proposes_for_all() -> None:
    rows = table(picking_threshold=[0.5, 0.2, 0.4, 0.3], valley=[0.9, 0.41, GAP, 0.6], particles=[1, 9, 4, 5])
    marks, lines = sweep_notes(rows, ["picking_threshold"])
    assert marks == [None, None, "valley=0.41", None]
    assert lines == ["nearest to the valley 0.41: picking_threshold=0.4 (AutoPick/job003)"]


def test_each_setting_of_the_other_fields_has_its_own() -> None:
    rows = table(
        picking_threshold=[0.2, 0.4] * 2,
        distance=[100, 100, 150, 150],
        valley=[0.22, GAP, 0.38, GAP],
        q05_threshold=[0.23, 0.4, 0.25, 0.4],
    )
    marks, _ = sweep_notes(rows, ["picking_threshold", "distance"])
    assert marks == ["valley=0.22 q-value=0.23", None, "q-value=0.25", "valley=0.38"]


def test_failed_points_and_other_fields_say_nothing() -> None:
    rows = table(
        picking_threshold=[0.1, 0.4], valley=[0.1, 0.41], state=["failed", "done"], particles=[GAP, 5]
    )
    assert sweep_notes(rows, ["picking_threshold"])[0] == [None, "valley=0.41"]
    assert sweep_notes(rows, ["shrink_factor"]) == ([None, None], [])
    words = table(picking_threshold=["a", "b"], valley=[0.1, 0.2])
    assert sweep_notes(words, ["picking_threshold"]) == ([None, None], [])


def test_a_lower_threshold_that_picks_fewer_is_said() -> None:
    _, (line,) = sweep_notes(table(picking_threshold=[0.6, 0.2], particles=[160, 120]), ["picking_threshold"])
    assert line.startswith(
        "picking_threshold=0.2 (AutoPick/job002) picks fewer (120) than picking_threshold=0.6 "
        "(AutoPick/job001) (160): peaks closer than the minimum distance drop each other"
    )
    assert (
        sweep_notes(table(picking_threshold=[0.6, 0.2], particles=[120, 121]), ["picking_threshold"])[1] == []
    )
