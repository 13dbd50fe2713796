"""Finished micrographs and candidates that a resumed job keeps."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers.autopick_job import coordinates, pick


def test_continuing_does_only_what_is_not_done(project: Path) -> None:
    pick(project)
    whole = coordinates(project)
    folder = project / "AutoPick/job010/Movies"
    (folder / "b_autopick.star").unlink()  # as if killed before it
    stamp = (folder / "a_autopick.star").stat().st_mtime_ns
    result, lines = pick(project)
    assert coordinates(project) == whole
    assert result.counts["kept_micrographs"] == 2 and (folder / "a_autopick.star").stat().st_mtime_ns == stamp
    assert "kept the picks of 2 micrographs that were finished before" in lines
    result, _ = pick(project, autopicking__picking_threshold=0.6)
    assert result.counts["kept_micrographs"] == 0 and coordinates(project) != whole


@pytest.mark.parametrize("merit", ["relion", "ncc"])
def test_other_gates_are_applied_without_maps(
    project: Path, merit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = {"autopicking__candidate_floor": 0.1, "autopicking__figure_of_merit": merit}
    pick(project, **plain)
    tuning = {
        "autopicking__picking_threshold": 0.15,
        "autopicking__minimum_inter_particle_distance": 60,
        "autopicking__maximum_stddev_noise": 1.02,
    }
    fresh, _ = pick(project, "job011", **plain | tuning)
    with monkeypatch.context() as patch:
        patch.setattr("cryoflow.jobs.autopick.micrograph_source.read_micrograph", pytest.fail)
        again, _ = pick(project, **plain | tuning)
    assert coordinates(project) == coordinates(project, "job011")
    assert again.counts == fresh.counts and fresh.counts["particles"] > 0
    assert "AutoPick/job010/Movies/a_autopick_candidates.npz" in again.outputs


@pytest.mark.parametrize(
    "spoil",
    [
        {"autopicking__candidate_floor": 0.05, "autopicking__picking_threshold": 0.4},
        {"autopicking__picking_threshold": 0.05},
        {"references__in_plane_angular_sampling": 45},
        "broken",
        "micrograph",
    ],
)
def test_candidates_of_something_else_are_not_used(project: Path, spoil: dict[str, Any] | str) -> None:
    pick(project)
    changes: dict[str, Any] = spoil if isinstance(spoil, dict) else {"autopicking__picking_threshold": 0.4}
    if spoil == "broken":
        (project / "AutoPick/job010/Movies/a_autopick_candidates.npz").write_bytes(b"PK\x03\x04 half of it")
    if spoil == "micrograph":
        shutil.copy(project / "Movies/b.mrc", project / "Movies/a.mrc")
    pick(project, **changes)
    pick(project, "job011", **changes)
    assert coordinates(project) == coordinates(project, "job011")
    kept, new = (
        (project / f"AutoPick/{job}/Movies/a_autopick_candidates.npz") for job in ("job010", "job011")
    )
    assert kept.read_bytes() == new.read_bytes()
