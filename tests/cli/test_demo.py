"""The demo: its specs are there and take its overrides; what it prints and draws."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cryoflow import demo
from cryoflow.files.coordinates import read_coordinates
from cryoflow.files.star import write_star
from cryoflow.launch.plan import make_plans, read_sources
from cryoflow.shipped import shipped_folder
from cryoflow.simulate.options import SimulateOptions
from cryoflow.simulate.project import CTF_TABLE, SELECTED_TABLE, simulate_project
from cryoflow.view.pictures import open_picture

TINY = SimulateOptions(
    micrographs=2,
    selected=1,
    size=(640, 600),
    particles=8,
    broken=0,
    contaminants=1,
    model="ring",
    diameter=170,
    distance=215,
    snr=0.2,
    carbon=0,
)


def test_every_step_has_a_spec_that_takes_its_overrides() -> None:
    specs = shipped_folder() / "tutorial"
    plans = [
        make_plans(read_sources([str(specs / f"{step.spec}.yaml")]), step.overrides, False)[0]
        for step in demo.steps(demo.OPTIONS)
    ]
    assert [plan.spec.number for plan in plans] == list(range(10, 17))
    extract = plans[2].spec.extract
    assert extract.particle_box_size == demo.OPTIONS.box == 2 * extract.re_scaled_size
    assert demo.OPTIONS.diameter <= extract.diameter_background_circle * demo.OPTIONS.pixel_size
    assert extract.diameter_background_circle < extract.particle_box_size


def test_the_comparison_counts_what_each_step_kept(tmp_path: Path) -> None:
    simulate_project(tmp_path, TINY)
    truth = {name: read_positions(tmp_path / f"truth/{name}.star") for name in ("mic001", "mic002")}
    for job, names in (("job010", ["mic001"]), ("job011", ["mic001", "mic002"])):
        folder = tmp_path / "AutoPick" / job / "Micrographs"
        folder.mkdir(parents=True)
        table = SELECTED_TABLE if job == "job010" else CTF_TABLE
        (folder.parent / "coords_suffix_autopick.star").write_text(table + "\n")
        for name in names:
            picks = truth[name].iloc[:6].assign(rlnAutopickFigureOfMerit=np.linspace(1, 0.1, 6))
            picks.loc[5, "rlnCoordinateX"] = 2.0  # on nothing
            write_star(folder / f"{name}_autopick.star", {"": picks})
    for job, count in (("job014", 4), ("job016", 2)):
        rows = truth["mic001"].iloc[:count].assign(rlnMicrographName="Micrographs/mic001.mrc")
        (tmp_path / "Select" / job).mkdir()
        write_star(tmp_path / "Select" / job / "particles.star", {"": rows.assign(rlnImageName="1@a.mrcs")})
    lines = demo.compare_with_truth(tmp_path)
    numbers = [re.findall(r"[\d.]+", line[34:]) for line in lines[1:]]
    assert numbers == [
        ["6", "5", "0.83", "0.62"],
        ["12", "10", "0.83", "0.62"],
        ["4", "4", "1.00", "0.25"],
        ["2", "2", "1.00", "0.12"],
    ]


def read_positions(path: Path) -> pd.DataFrame:
    table = read_coordinates(path)
    return table[table["truthKind"] == 1][["rlnCoordinateX", "rlnCoordinateY"]].reset_index(drop=True)


@pytest.mark.slow
def test_the_demo_runs_to_its_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "OPTIONS", replace(TINY, micrographs=3))
    monkeypatch.setattr(demo, "CLASSES", 4)
    assert demo.run_demo(tmp_path / "project") == 0
    shown = capsys.readouterr().out
    counts = [
        re.findall(r"[\d.]+", line[34:]) for line in shown.splitlines() if re.match("step 1[0146],", line)
    ]
    assert len(counts) == 4
    assert float(counts[1][3]) > 0.8  # recall of all picks
    assert int(counts[3][0]) <= int(counts[2][0]) <= int(counts[1][0])
    picture = open_picture(tmp_path / "project" / "demo.png")
    assert picture.height == 540
    assert (tmp_path / "project/Select/job016/classes.png").exists()
