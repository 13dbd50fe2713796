"""What AutoPick writes, and what its picks depend on."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.autopick_job import BOX, COLUMNS, CTF, PIXEL, SHAPES, coordinates, particle, pick, spec, table

from cryoflow.errors import CryoflowError
from cryoflow.files.coordinates import read_coordinate_list
from cryoflow.files.mrc import write_mrc
from cryoflow.files.star import read_star, write_star
from cryoflow.jobs.autopick.run import run
from cryoflow.project.context import JobContext


def test_outputs_are_relions(project: Path) -> None:
    plain = {"references__are_references_ctf_corrected": False, "autopicking__picking_threshold": 2}
    result, _ = pick(project, **plain)
    assert result.counts["micrographs"] == 3 and result.counts["particles"] >= 9
    picks = read_star(project / "AutoPick/job010/Movies/a_autopick.star")[""]
    assert isinstance(picks, pd.DataFrame) and list(picks.columns) == COLUMNS
    found = picks[["rlnCoordinateY", "rlnCoordinateX"]].to_numpy()
    for place in ((40, 40), (90, 60), (60, 90), (100, 95)):
        assert np.hypot(*(found - place).T).min() < 3
    assert set(picks["rlnClassNumber"]) <= {1, 2} and set(picks["rlnAnglePsi"] % 30) == {0}
    suffix = project / "AutoPick/job010/coords_suffix_autopick.star"
    assert suffix.read_text() == "mics.star\n"
    listed = read_coordinate_list(project / "AutoPick/job010/autopick.star", project)
    assert listed == [
        (f"Movies/{name}.mrc", project / f"AutoPick/job010/Movies/{name}_autopick.star") for name in SHAPES
    ]
    assert read_coordinate_list(suffix, project) == listed
    summary = read_star(project / "AutoPick/job010/summary.star")[""]
    assert isinstance(summary, pd.DataFrame)
    assert int(summary["rlnGroupNrParticles"].sum()) == result.counts["particles"]
    mean = picks["rlnAutopickFigureOfMerit"].mean()
    assert summary["rlnAutopickFigureOfMerit"][0] == pytest.approx(mean, rel=1e-5)
    assert all((project / name).exists() for name in result.outputs)
    assert result.nodes == (("AutoPick/job010/autopick.star", "MicrographCoordsGroup.star.relion.autopick"),)
    assert result.inputs[:3] == ("mics.star", "refs.star", "refs.mrcs")


def test_picks_do_not_depend_on_the_list_or_on_workers(project: Path) -> None:
    pick(project)
    everything = coordinates(project)
    table(project, ["c", "a"])
    pick(project, "job011")
    few = coordinates(project, "job011")
    assert few == {name: everything[name] for name in few} and len(few) == 2
    table(project, ["b", "c", "a"])
    pick(project, "job012", compute__workers=3, compute__threads=2)
    assert coordinates(project, "job012") == everything


def test_no_picks_are_a_result_with_a_hint(project: Path) -> None:
    result, lines = pick(project, autopicking__picking_threshold=1e6)
    assert result.counts["particles"] == 0 and not result.failures
    picks = read_star(project / "AutoPick/job010/Movies/a_autopick.star")[""]
    assert isinstance(picks, pd.DataFrame) and list(picks.columns) == COLUMNS and len(picks) == 0
    hint = next(line for line in lines if line.startswith("no picks on 3 of 3 micrographs"))
    assert "their best figures of merit are" in hint and "the threshold is 1e+06" in hint


def test_statistics_and_a_wrong_greyscale_are_told(project: Path) -> None:
    result, lines = pick(project)
    assert not any("references are too" in line for line in lines)
    name = project / "AutoPick/job010/statistics.star"
    assert "AutoPick/job010/statistics.star" in result.outputs
    table = read_star(name)[""]
    assert isinstance(table, pd.DataFrame)
    assert int(table["rlnGroupNrParticles"].sum()) == result.counts["particles"]
    picks = read_star(project / "AutoPick/job010/Movies/b_autopick.star")[""]
    assert isinstance(picks, pd.DataFrame)
    median = picks["rlnAutopickFigureOfMerit"].median()
    assert table["cryoflowFigureOfMeritQuantile50"][1] == pytest.approx(median, rel=1e-4)
    before = name.read_bytes()
    again, _ = pick(project)
    assert again.counts["kept_micrographs"] == 3 and name.read_bytes() == before
    write_mrc(project / "refs.mrcs", np.stack([30 * particle(), 30 * particle().T]).astype(np.float32), PIXEL)
    _, lines = pick(project, "job011")
    assert any("hardly any particles, or the references are too strong" in line for line in lines)


def test_a_3d_reference_is_projected(project: Path) -> None:
    z, y, x = np.mgrid[:BOX, :BOX, :BOX] - BOX // 2
    volume = 0.05 * np.exp(-(x**2 / 30 + y**2 / 10 + z**2 / 6))
    write_mrc(project / "map.mrc", volume.astype(np.float32), PIXEL)
    options = {
        "io__reference_2d": None,
        "io__provide_a_3d_reference": True,
        "io__reference_3d": "map.mrc",
        "io__symmetry": "D2",
        "references__mask_diameter": 60,
    }
    result, lines = pick(project, **options)
    assert result.outputs[0] == "AutoPick/job010/reference_projections.mrcs"
    assert result.inputs[:2] == ("mics.star", "map.mrc") and result.counts["particles"] > 0
    assert "compares with 12 projections of map.mrc (D2)" in lines
    picks = read_star(project / "AutoPick/job010/Movies/a_autopick.star")[""]
    assert isinstance(picks, pd.DataFrame) and picks["rlnClassNumber"].between(1, 12).all()
    with pytest.raises(CryoflowError, match="unknown point group"):
        pick(project, "job011", **{**options, "io__symmetry": "D2H"})
    with pytest.raises(CryoflowError, match="a 3D reference is a cube"):
        pick(project, "job012", **{**options, "io__reference_3d": "refs.mrcs"})


def test_micrographs_outside_the_project_leave_nothing_there(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    raw = tmp_path_factory.mktemp("raw")
    names = [str(raw / "a.mrc"), f"../{raw.name}/b.mrc"]
    for name in names:
        shutil.copy(project / "Movies/a.mrc", project / name)
    write_star(project / "mics.star", {"": pd.DataFrame({"rlnMicrographName": names, **CTF})})
    pick(project)
    assert sorted(path.name for path in raw.iterdir()) == ["a.mrc", "b.mrc"]
    inside = project / "AutoPick/job010"
    for listing in ("autopick.star", "coords_suffix_autopick.star"):
        assert read_coordinate_list(inside / listing, project) == [
            (names[0], inside / f"{raw.as_posix()[1:]}/a_autopick.star"),
            (names[1], inside / f"{raw.name}/b_autopick.star"),
        ]


def test_pixel_sizes_come_from_field_table_or_header(project: Path) -> None:
    pick(project)
    whole = coordinates(project)
    rows = pd.DataFrame({"rlnMicrographName": [f"Movies/{name}.mrc" for name in SHAPES], **CTF})
    rows = rows.drop(columns=["rlnMagnification", "rlnDetectorPixelSize"])
    write_star(project / "mics.star", {"": rows})
    _, lines = pick(project, "job011")
    assert coordinates(project, "job011") == whole
    assert any("using the pixel size 4 A from the header of Movies/a.mrc" in line for line in lines)
    table(project, list(SHAPES), rlnDetectorPixelSize=8.0)
    _, lines = pick(project, "job012", io__pixel_size_in_micrographs=4)
    assert coordinates(project, "job012") == whole
    assert any("from the spec, although mics.star says 8 A" in line for line in lines)


def test_coordinates_are_written_in_the_style_asked_for(project: Path) -> None:
    directory = project / "AutoPick/job010"
    directory.mkdir(parents=True)
    run(spec().model_copy(update={"star_style": "3.1"}), JobContext(project, directory))
    assert b"# version 30001" in coordinates(project)["a_autopick.star"]
