"""Fewer templates than references and angles."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.autopick_job import SHAPES, coordinates, pick, spec

from cryoflow.errors import CryoflowError
from cryoflow.files.fom_maps import read_fom_maps
from cryoflow.files.star import read_star
from cryoflow.jobs.autopick.map_cache import PickingCache
from cryoflow.jobs.autopick.run import run
from cryoflow.project.context import JobContext, SweepCache


def test_fewer_templates_than_references_give_the_same_maps(project: Path) -> None:
    fine: dict[str, Any] = {"references__in_plane_angular_sampling": 5, "autopicking__write_fom_maps": True}
    _, exact = pick(project, "job009", **fine)
    _, lines = pick(project, autopicking__template_error=0.01, **fine)
    assert not any("compares with" in line for line in exact)
    told = next(line for line in lines if line.startswith("compares with"))
    assert re.fullmatch(r"compares with \d\d templates for 144 references and angles, error 0.00\d+", told)
    for name in SHAPES:
        one, other = (
            read_fom_maps(project / f"AutoPick/{job}/Movies/{name}_autopick_fom.mrcs").maps[2:4]
            for job in ("job009", "job010")
        )
        assert 0 < np.abs(one - other).max() < 0.01 * one.max()


FEWER: dict[str, Any] = {
    "references__in_plane_angular_sampling": 5,
    "autopicking__template_error": 0.05,
    "autopicking__candidate_floor": 0.2,
}


def test_picks_of_fewer_templates_are_exact(project: Path) -> None:
    pick(project, "job009", **FEWER | {"autopicking__template_error": None})
    pick(project, **FEWER)
    pick(project, "job011", **FEWER, compute__workers=2)
    assert coordinates(project) == coordinates(project, "job011")
    for name in SHAPES:
        exact, near = (
            read_star(project / f"AutoPick/{job}/Movies/{name}_autopick.star")[""]
            for job in ("job009", "job010")
        )
        assert isinstance(exact, pd.DataFrame) and isinstance(near, pd.DataFrame)
        where = ["rlnCoordinateY", "rlnCoordinateX"]
        both = exact.merge(near, on=where)
        assert len(both) >= 0.9 * max(len(exact), len(near))  # of two peaks side by side either may be found
        one, other = both["rlnAutopickFigureOfMerit_x"], both["rlnAutopickFigureOfMerit_y"]
        assert float((one - other).abs().max()) < 0.003 * one.max()
        assert (both["rlnAnglePsi_x"] == both["rlnAnglePsi_y"]).mean() > 0.9


def test_maps_of_fewer_templates_tell_how_far_their_peaks_are_exact(project: Path) -> None:
    pick(project, "job009", **FEWER, autopicking__picking_threshold=0.6)
    pick(project, **FEWER, autopicking__write_fom_maps=True)
    read = FEWER | {"autopicking__read_fom_maps": True}
    pick(project, **read, autopicking__picking_threshold=0.6)
    assert coordinates(project) == coordinates(project, "job009")
    message = "peaks below 0.2 are not exact, and the spec needs those from 0.1; set 'Read FOM maps"
    with pytest.raises(CryoflowError, match=message):
        pick(project, **read, autopicking__picking_threshold=0.1)


def test_points_of_a_sweep_share_maps_of_fewer_templates_where_peaks_are_exact(project: Path) -> None:
    cache = SweepCache()
    for number, threshold in enumerate((0.3, 0.1, 0.6)):
        changes = FEWER | {"autopicking__picking_threshold": threshold}
        pick(project, f"job02{number}", **changes)
        directory = project / f"AutoPick/job03{number}"
        directory.mkdir()
        run(spec(**changes), JobContext(project, directory, cache=cache))
        assert coordinates(project, f"job03{number}") == coordinates(project, f"job02{number}")
        # picks that nobody has taken do not pile up
        jobs = {name.split("/")[1] for name in cache.part(PickingCache).picks}
        assert jobs == {f"job03{number}"}
    assert len(list((project / ".cryoflow/maps").glob("*.mrcs"))) == 6  # 0.3 and 0.6 look down to 0.2
