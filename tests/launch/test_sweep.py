"""Sweeps: one table, pictures, a record, shared maps, and what happens after a kill."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pandas as pd
import pytest
from helpers.launch_project import cryoflow, one_selection, sweep_rows
from helpers.small_project import SMALL

from cryoflow.compute.pick.search import prepare_search
from cryoflow.files.star import read_star
from cryoflow.jobs.autopick import reference_search
from cryoflow.launch.job.signals import stoppable
from cryoflow.launch.outcome import Outcome, Request
from cryoflow.launch.previous_runs import Known
from cryoflow.launch.sweep import local as points_here
from cryoflow.launch.sweep.folder import read_sweep, write_sweep
from cryoflow.launch.sweep.table import results
from cryoflow.project.context import SweepCache
from cryoflow.project.directory import make_job_directory
from cryoflow.project.lock import holding
from cryoflow.project.markers import SUCCESS
from cryoflow.project.record import read_record, write_record
from cryoflow.simulate.project import simulate_project
from cryoflow.spec import AutoPick

SPEC = Path(__file__).parents[2] / "specs" / "tutorial" / "11_template_based.yaml"
PICK = ("run", SPEC, "device=cpu", "lowpass_filter_references=30")

project = one_selection


@pytest.fixture
def simulated(tmp_path: Path) -> Path:
    simulate_project(tmp_path / "simulated", SMALL)
    return tmp_path / "simulated"


def _sweep(project: Path, *values: str) -> int:
    return cryoflow(project, "run", project.parent / "spec.yaml", "device=cpu", "--multirun", *values)


def test_table_record_and_show(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _sweep(project, "maximum_metadata_value=0.4,0.5,1", "minimum_metadata_value=-1,0.3") == 0
    rows = sweep_rows(project)
    assert [(row["maximum_metadata_value"], row["minimum_metadata_value"]) for row in rows] == [
        (high, low) for high in ("0.4", "0.5", "1.0") for low in ("-1.0", "0.3")
    ]
    assert [row["particles"] for row in rows] == ["2", "1", "2", "1", "3", "2"]
    star = read_star(project / "Sweep" / "sweep001" / "sweep.star")["sweep"]
    assert isinstance(star, pd.DataFrame)
    assert star["job"].tolist() == [row["job"] for row in rows]
    record = read_sweep(project / "Sweep" / "sweep001")
    assert record["status"] == "ended"
    assert [entry["job"] for entry in record["jobs"]] == [row["job"] for row in rows]
    assert record["points"][0] == [
        "compute.device=cpu",
        "subsets.maximum_metadata_value=0.4",
        "subsets.minimum_metadata_value=-1",
    ]
    assert (project / "Sweep" / "sweep001" / "sweep.png").exists()
    told = (project / "Sweep" / "sweep001" / "run.out").read_text().splitlines()
    assert len(told) == 6
    assert told[1].endswith("minimum_metadata_value=0.3: Select/job101 done: 1 particles")
    capsys.readouterr()
    assert cryoflow(project, "sweep", "show", "sweep001") == 0
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert shown[0][:4] == ["maximum_metadata_value", "minimum_metadata_value", "job", "state"]
    assert shown[1][:5] == ["0.4", "-1", "Select/job100", "done", "2"]
    assert cryoflow(project, "sweep", "show", "sweep009") == 2


def test_a_point_that_fails_takes_no_other_down(project: Path) -> None:
    labels = "metadata_label_for_subset_selection=rlnNoSuchColumn,rlnParticleSelectZScore"
    assert _sweep(project, labels) == 1
    rows = sweep_rows(project)
    assert [(row["state"], row["particles"]) for row in rows] == [("failed", ""), ("done", "2.0")]
    star = read_star(project / "Sweep" / "sweep001" / "sweep.star")["sweep"]
    assert isinstance(star, pd.DataFrame)
    assert star["particles"].astype(str).tolist() == ["None", "2.000000"]


def test_same_command_again_does_what_failed_or_reads_other_files(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = "metadata_label_for_subset_selection=rlnMyScore,rlnParticleSelectZScore"
    assert _sweep(project, labels) == 1
    assert [row["job"] for row in sweep_rows(project)] == ["Select/job100", "Select/job101"]
    assert _sweep(project, labels) == 1
    assert "1 point was already done" in capsys.readouterr().out
    assert [row["job"] for row in sweep_rows(project)] == ["Select/job102", "Select/job101"]
    table = project / "Extract/job012/particles.star"
    table.write_text(table.read_text().replace("#4\n", "#4\n_rlnMyScore #5\n").replace("0.9\n", "0.9 0.7\n"))
    table.write_text(table.read_text().replace("0.1\n", "0.1 0.2\n").replace("0.4\n", "0.4 0.6\n"))
    assert _sweep(project, labels) == 0
    assert "already done" not in capsys.readouterr().out
    rows = sweep_rows(project)
    assert [(row["job"], row["particles"]) for row in rows] == [
        ("Select/job103", "1"),
        ("Select/job104", "2"),
    ]
    assert not (project / "Sweep/sweep002").exists()


@pytest.mark.parametrize("launcher", ["local", "joblib"])
def test_killed_sweep_is_finished_by_the_same_command(
    project: Path, capsys: pytest.CaptureFixture[str], launcher: str
) -> None:
    words = ("maximum_metadata_value=0.4,0.5,1", "--launcher", launcher)
    assert _sweep(project, *words) == 0
    folder = project / "Sweep" / "sweep001"
    jobs = [row["job"] for row in sweep_rows(project)]
    before = {name: (project / name / "particles.star").stat().st_mtime_ns for name in jobs}
    _as_killed(project, folder, jobs)
    assert cryoflow(project, "sweep", "show", "sweep001") == 2
    assert _sweep(project, *words) == 0
    assert "1 point was already done" in capsys.readouterr().out
    assert [row["job"] for row in sweep_rows(project)] == [jobs[0], jobs[1], "Select/job103"]
    after = {name: (project / name / "particles.star").stat().st_mtime_ns for name in jobs[:2]}
    assert after[jobs[0]] == before[jobs[0]]
    assert after[jobs[1]] > before[jobs[1]]
    assert read_record(project / "Select" / "job103")["sweep"] == "Sweep/sweep001"
    if launcher == "local":  # one that has ended begins anew
        assert _sweep(project, *words) == 0
        assert len(sweep_rows(project, "sweep002")) == 3


def _as_killed(project: Path, folder: Path, jobs: list[str]) -> None:
    """Leave a sweep as a kill would: the first point finished, the second started, the third not."""
    record = read_sweep(folder)
    write_sweep(folder, {key: record[key] for key in record if key != "jobs"} | {"status": "running"})
    (folder / "sweep.csv").unlink()
    second = project / jobs[1]
    (second / SUCCESS).unlink()
    write_record(second, read_record(second) | {"status": "running"})
    shutil.rmtree(project / jobs[2])


def test_sweep_whose_workers_live_on_is_left_to_them(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = "maximum_metadata_value=0.4,0.5,1"
    assert _sweep(project, values) == 0
    _as_killed(project, project / "Sweep" / "sweep001", [row["job"] for row in sweep_rows(project)])
    with holding(project / "Select" / "job101"):
        assert _sweep(project, values) == 2
    assert (
        "Select/job101: a worker of the killed Sweep/sweep001 is still running this"
        in capsys.readouterr().err
    )


def test_same_sweep_twice_at_once_is_two_sweeps(project: Path) -> None:
    values = "maximum_metadata_value=0.4,0.5"
    assert _sweep(project, values) == 0
    first = project / "Sweep" / "sweep001"
    write_sweep(first, read_sweep(first) | {"status": "running"})
    with holding(first):
        assert _sweep(project, values) == 0
    assert read_sweep(first)["status"] == "running"
    assert [row["job"] for row in sweep_rows(project, "sweep002")] == ["Select/job102", "Select/job103"]


def test_points_of_a_picking_sweep_share_their_maps(
    simulated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared = []

    def count(*given: object) -> object:
        prepared.append(1)
        return prepare_search(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(reference_search, "prepare_search", count)
    words = (*PICK, "threads=1")
    values = ("picking_threshold=0.1,0.5", "minimum_inter_particle_distance=100,170")
    assert cryoflow(simulated, *words, "--multirun", *values) == 0
    assert len(prepared) == 1
    assert len(list((simulated / ".cryoflow" / "maps").iterdir())) == SMALL.micrographs
    rows = sweep_rows(simulated)
    assert {"precision", "recall", "f1", "fom_50"} <= set(rows[0])
    assert all(0 <= float(row["recall"]) <= 1 for row in rows)
    assert (simulated / "Sweep" / "sweep001" / "picks.png").exists()
    assert cryoflow(simulated, "draw", "Sweep/sweep001", "--all") == 0
    drawn = {path.name for path in (simulated / "Sweep/sweep001").glob("picks_*.png")}
    assert drawn == {f"picks_mic{i:03d}.png" for i in range(1, SMALL.micrographs + 1)}
    assert cryoflow(simulated, "draw", rows[0]["job"], "mic002") == 0
    assert [path.name for path in (simulated / rows[0]["job"]).glob("*.png")] == ["picks_mic002.png"]
    assert cryoflow(simulated, "draw", rows[0]["job"], "mic999") == 2
    assert "mic999: not among the" in capsys.readouterr().err
    point = rows[1]
    assert (point["picking_threshold"], point["minimum_inter_particle_distance"]) == ("0.1", "170")
    alone = ("number=-", "alias=-", "picking_threshold=0.1", "minimum_inter_particle_distance=170")
    assert cryoflow(simulated, *words, *alone) == 0
    outputs = [
        {Path(entry["path"]).name: entry["sha256"] for entry in read_record(simulated / name)["outputs"]}
        for name in (point["job"], "AutoPick/job104")
    ]
    assert float(point["particles"]) > 0
    del outputs[0]["autopick.star"]  # names files in its own directory
    assert outputs[0].items() <= outputs[1].items()
    assert set(outputs[1]) - set(outputs[0]) == {
        "autopick.star",
        "mic001_autopick_candidates.npz",
        "mic002_autopick_candidates.npz",
        "statistics.star",
        "thresholds.star",
    }
    capsys.readouterr()
    assert cryoflow(simulated, "rerun", point["job"]) == 0
    assert "5 identical of 5 files" in capsys.readouterr().out


def test_decoys_tell_what_is_expected_to_be_false(simulated: Path) -> None:
    words = (*PICK, "threads=1", "decoys=yes", "--multirun")
    assert cryoflow(simulated, *words, "picking_threshold=0.1,0.5", "objective=-expected_false") == 0
    rows = sweep_rows(simulated)
    records = [read_record(simulated / row["job"]) for row in rows]
    assert [int(row["expected_false"]) for row in rows] == [r["counts"]["expected_false"] for r in records]
    assert int(rows[0]["expected_false"]) > int(rows[1]["expected_false"])
    assert read_sweep(simulated / "Sweep" / "sweep001")["best"] == rows[1]["job"]


def test_many_points_run_beside_each_other(
    simulated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.setattr(points_here, "MANY", 8)
    monkeypatch.setattr(points_here, "run_point_once", _killed_at(0.3, points_here.run_point_once))
    words = (*PICK, "--multirun")
    thresholds = [round(0.05 * step, 2) for step in range(1, 9)]
    assert cryoflow(simulated, *words, f"picking_threshold={','.join(map(str, thresholds))}") == 0
    rows = sweep_rows(simulated)
    assert [float(row["picking_threshold"]) for row in rows] == thresholds
    assert [row["state"] for row in rows] == ["done"] * 8
    assert len({row["job"] for row in rows}) == 8
    picks = [int(row["particles"]) for row in rows]
    assert picks[0] > picks[-1]
    assert cryoflow(simulated, *PICK, f"picking_threshold={thresholds[4]}", "number=-", "alias=alone") == 0
    assert read_record(simulated / "AutoPick/alone")["counts"]["particles"] == picks[4] > 0
    coordinates = list((simulated / "AutoPick/alone/").rglob("mic*_autopick.star"))
    assert len(coordinates) == 2
    for alone in coordinates:
        assert (simulated / rows[4]["job"] / "Micrographs" / alone.name).read_bytes() == alone.read_bytes()
    again = results(simulated, Outcome(rows[4]["job"], 0, ""))  # read back from disk, not handed over
    assert {name: str(again[name]) for name in again} == {name: rows[4][name] for name in again}
    killed = [
        path.parent for path in simulated.glob("AutoPick/job*/job_record.yaml") if not _ended(path.parent)
    ]
    assert killed  # with its child, and with it what the other was at: those points were run again
    capsys.readouterr()
    assert cryoflow(simulated, "verify", *(row["job"] for row in rows)) == 0


def _killed_at(threshold: float, run: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """Let the process that runs the point of a threshold be killed in its midst, unless it is this one."""
    parent = os.getpid()

    def run_or_die(spec: AutoPick, request: Request, known: Known, cache: SweepCache) -> Outcome:
        if spec.autopicking.picking_threshold == threshold and os.getpid() != parent:
            make_job_directory(
                Path(request.project), "AutoPick", fill=partial(write_record, record={"spec": {}})
            )
            os.kill(os.getpid(), signal.SIGKILL)
        return run(spec, request, known, cache)

    return run_or_die


def test_a_process_of_a_sweep_ends_in_the_midst_of_a_job_when_told_to() -> None:
    """It would otherwise go on with the next point, for which another that ended may hold the lock."""
    fork = get_context("fork")
    here, there = fork.Pipe()
    process = fork.Process(target=_run_on, args=(there,))
    process.start()
    assert here.recv()
    process.terminate()
    process.join()
    assert process.exitcode == 1


def _run_on(there: Connection) -> None:
    points_here._begin_child(SweepCache())
    with stoppable():
        there.send(True)
        try:
            time.sleep(600)
        except KeyboardInterrupt:
            time.sleep(600)


def _ended(directory: Path) -> bool:
    return (directory / SUCCESS).exists()
