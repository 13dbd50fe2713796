"""FOM maps that are written and read."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.autopick_job import PIXEL, SHAPES, coordinates, particle, pick, spec, table

from cryoflow.errors import CryoflowError
from cryoflow.files.fom_maps import read_about
from cryoflow.files.mrc import write_mrc
from cryoflow.files.star import read_star
from cryoflow.jobs.autopick.run import run
from cryoflow.project.context import JobContext, SweepCache


@pytest.mark.parametrize("precision", ["single", "double"])
def test_maps_read_give_what_picking_afresh_gives(project: Path, precision: str) -> None:
    tuning = {"autopicking__picking_threshold": 0.15, "autopicking__minimum_inter_particle_distance": 60}
    common = {"compute__precision": precision}
    result, _ = pick(project, autopicking__write_fom_maps=True, **common)
    first = coordinates(project)
    assert "AutoPick/job010/Movies/a_autopick_fom.mrcs" in result.outputs
    for name in SHAPES:  # reading needs no micrographs
        (project / f"Movies/{name}.mrc").rename(project / f"Movies/{name}.hidden")
    pick(project, autopicking__read_fom_maps=True, **tuning, **common)
    again = coordinates(project)
    for name in SHAPES:
        (project / f"Movies/{name}.hidden").rename(project / f"Movies/{name}.mrc")
    pick(project, "job011", **tuning, **common)
    assert again == coordinates(project, "job011") != first


def test_blob_maps_read_give_the_same_blobs(project: Path) -> None:
    blobs = {
        "io__reference_2d": None,
        "io__use_laplacian_of_gaussian": True,
        "laplacian__min_diameter_for_log_filter": 40,
        "laplacian__max_diameter_for_log_filter": 60,
    }
    pick(project, autopicking__write_fom_maps=True, **blobs)
    picks = read_star(project / "AutoPick/job010/Movies/a_autopick.star")[""]
    assert isinstance(picks, pd.DataFrame) and len(picks) > 3
    assert set(picks["rlnClassNumber"]) == {0} and set(picks["rlnAnglePsi"]) == {0.0}
    pick(project, autopicking__read_fom_maps=True, laplacian__adjust_default_threshold=1, **blobs)
    again = coordinates(project)
    pick(project, "job011", laplacian__adjust_default_threshold=1, **blobs)
    assert again == coordinates(project, "job011")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"references__lowpass_filter_references": 25}, "lowpass_filter_references 20, but now it is 25"),
        ({"references__in_plane_angular_sampling": 15}, "in_plane_angular_sampling 30, but now it is 15"),
        ({"references__mask_diameter": 60}, "mask_diameter 64, but now it is 60"),
        ({"references__references_have_inverted_contrast": False}, "contrast True, but now it is False"),
        ({"autopicking__shrink_factor": 0.5}, "made with shrink_factor 0, but now it is 0.5"),
    ],
)
def test_maps_of_other_settings_are_refused(project: Path, changes: dict[str, Any], message: str) -> None:
    pick(project, autopicking__write_fom_maps=True)
    before = coordinates(project)
    with pytest.raises(CryoflowError, match=message) as caught:
        pick(project, autopicking__read_fom_maps=True, **changes)
    assert str(caught.value).startswith("AutoPick/job010/Movies/a_autopick_fom.mrcs: ")
    assert "\n" not in str(caught.value) and coordinates(project) == before


def test_maps_of_other_references_or_ctf_are_refused(project: Path) -> None:
    pick(project, autopicking__write_fom_maps=True)
    table(project, list(SHAPES), rlnDefocusU=12000.0)
    with pytest.raises(CryoflowError, match="made with ctf "):
        pick(project, autopicking__read_fom_maps=True)
    table(project, list(SHAPES))
    write_mrc(project / "refs.mrcs", np.stack([particle().T, particle()]).astype(np.float32), PIXEL)
    with pytest.raises(CryoflowError, match="made with references "):
        pick(project, autopicking__read_fom_maps=True)


def test_maps_tell_what_they_are(project: Path) -> None:
    pick(project, autopicking__write_fom_maps=True)
    path = project / "AutoPick/job010/Movies/c_autopick_fom.mrcs"
    about = read_about(path)
    assert about["settings"]["lowpass_filter_references"] == 20
    assert about["sampling"]["height"] == 161 and len(about["expected"]) == 2
    first = path.read_bytes()
    shutil.rmtree(project / "AutoPick")
    pick(project, autopicking__write_fom_maps=True)
    assert path.read_bytes() == first
    assert json.dumps(about)


def test_missing_maps_are_told(project: Path) -> None:
    pick(project, autopicking__write_fom_maps=True)
    (project / "AutoPick/job010/Movies/b_autopick_fom.mrcs").unlink()
    result, _ = pick(project, autopicking__read_fom_maps=True)
    assert [one.item for one in result.failures] == ["Movies/b.mrc"]
    assert "run the job with 'Write FOM maps?' Yes first" in result.failures[0].message


@pytest.mark.parametrize("blobs", [False, True])
def test_picks_in_double_do_not_depend_on_where_maps_lay(project: Path, blobs: bool) -> None:
    """Worked out, kept in memory or on disk for a sweep, written and read, or left as candidates."""
    double: dict[str, Any] = {"compute__precision": "double", "autopicking__picking_threshold": 0}
    double |= {"autopicking__minimum_inter_particle_distance": 20}
    if blobs:
        double |= {"io__use_laplacian_of_gaussian": True, "io__reference_2d": None}
        double |= {"laplacian__min_diameter_for_log_filter": 40, "laplacian__max_diameter_for_log_filter": 80}
    pick(project, autopicking__write_fom_maps=True, **double)
    alone = coordinates(project)
    cache = SweepCache()
    for number, memory in enumerate((cache, cache, SweepCache())):
        directory = project / f"AutoPick/job02{number}"
        directory.mkdir()
        run(spec(**double), JobContext(project, directory, cache=memory))
        assert coordinates(project, directory.name) == alone
    pick(project, autopicking__read_fom_maps=True, **double)
    assert coordinates(project) == alone
    pick(project, "job011", **double | {"autopicking__picking_threshold": 0.6})
    pick(project, "job011", **double)
    assert coordinates(project, "job011") == alone
