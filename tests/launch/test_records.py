"""Commands that read records: verify, rerun, diff, status, show."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.launch_project import cryoflow, kept, make_project, select_spec

from cryoflow.cli import main
from cryoflow.launch.sweep.folder import read_sweep
from cryoflow.project.record import read_record, write_record

PIPELINE = """
data_pipeline_general

_rlnPipeLineJobCounter                      16
"""


@pytest.fixture
def project(tmp_path: Path, no_pictures: None) -> Path:
    """One table, and two selections from it, the second from the first."""
    project = make_project(tmp_path / "project")
    specs = [
        select_spec(tmp_path / "one.yaml", 0.5, number=14, alias="good"),
        select_spec(tmp_path / "two.yaml", 0.2, "Select/job014/particles.star", number=15),
    ]
    for spec in specs:
        assert cryoflow(project, "run", spec, "device=cpu") == 0
    return project


def _lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_verify_names_what_has_changed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert cryoflow(project, "verify", "Select/good", "Select/job015") == 0
    assert _lines(capsys) == [
        "Select/job014: ok, 1 input and 1 output are as recorded",
        "Select/job015: ok, 1 input and 1 output are as recorded",
    ]
    table = project / "Select" / "job014" / "particles.star"
    table.write_text(table.read_text().replace("10.0", "11.0"))
    (project / "Extract" / "job012" / "particles.star").unlink()
    assert cryoflow(project, "verify", "Select/job014", "Select/job015") == 1
    assert _lines(capsys) == [
        "Select/job014: input Extract/job012/particles.star is gone",
        "Select/job014: output Select/job014/particles.star has changed, with the same size",
        "Select/job015: input Select/job014/particles.star has changed, with the same size",
    ]


def test_verify_full_finds_what_keeps_its_time(project: Path) -> None:
    table = project / "Extract" / "job012" / "particles.star"
    table.write_text(table.read_text().replace("10.0", "11.0"))
    os.utime(table, ns=(10**18, 10**18))
    assert cryoflow(project, "verify", "Select/job014") == 0
    assert cryoflow(project, "verify", "--full", "Select/job014") == 1


def test_job_directory_alone_tells_the_project(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(project / "Select" / "good")]) == 0
    monkeypatch.chdir(project.parent)
    assert main(["verify", "project/Select/job014"]) == 0
    assert main(["verify", "Select/job014"]) == 2
    assert "no such job directory" in capsys.readouterr().err


def test_rerun_of_a_project_that_was_moved(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moved = project.rename(project.with_name("elsewhere"))
    assert cryoflow(moved, "rerun", "Select/good") == 0
    assert _lines(capsys)[-2:] == [
        "Select/job100 compared with Select/job014: 1 identical of 1 files",
        "Select/job100/",
    ]
    assert kept(moved, "Select/job100") == kept(moved, "Select/job014") == 2
    assert (moved / "Select" / "good").readlink() == Path("job014")


def test_rerun_of_several_takes_the_files_of_their_records(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cryoflow(project, "rerun", "Select/good", "--tolerance", "0.03", "Select/job015") == 0
    assert [line for line in _lines(capsys) if " compared with " in line] == [
        "Select/job100 compared with Select/job014: 1 identical of 1 files",
        "Select/job101 compared with Select/job015: 1 identical of 1 files",
    ]
    inputs = read_record(project / "Select" / "job101")["inputs"]
    assert [entry["path"] for entry in inputs] == ["Select/job014/particles.star"]


def test_rerun_of_several_checks_all_before_the_first(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_record(project / "Select/job015", read_record(project / "Select/job015") | {"status": "failed"})
    assert cryoflow(project, "rerun", "Select/job014", "Select/job015", "Select/job099") == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("Select/job015: did not succeed")
    assert told[1].startswith("Select/job099: no such job directory")
    assert len(told) == 2
    assert not (project / "Select" / "job016").exists()


def test_rerun_says_what_differs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = project / "Select" / "job014"
    record = read_record(directory)
    record["versions"]["torch"] = "1.0"
    write_record(directory, record)
    table = project / "Extract" / "job012" / "particles.star"
    table.write_text(table.read_text().replace("20.0", "20.5"))
    capsys.readouterr()
    assert cryoflow(project, "rerun", "Select/job014") == 1
    lines = _lines(capsys)
    assert "changed since: input Extract/job012/particles.star has changed, with the same size" in lines
    assert any(line.startswith("changed since: torch was 1.0, is now ") for line in lines)
    assert "  particles.star  different  rlnCoordinateX differs by up to 0.5 in 1 of 2 rows" in lines
    assert cryoflow(project, "rerun", "Select/job014", "--tolerance", "0.03") == 0
    assert "  particles.star  close      " in "\n".join(_lines(capsys)).replace("close  ", "close      ")


def test_rerun_of_a_job_that_did_not_succeed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = project / "Select" / "job014"
    write_record(directory, read_record(directory) | {"status": "failed"})
    assert cryoflow(project, "rerun", "Select/job014") == 2
    assert "did not succeed, so there is nothing to compare with" in capsys.readouterr().err


def test_diff(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert cryoflow(project, "diff", "--files", "Select/job014", "Select/job015") == 0
    words = [line.split() for line in _lines(capsys)]
    assert words[0] == ["Select/job014", "Select/job015"]
    assert ["setting", "subsets.maximum_metadata_value", "0.5", "0.2"] in words
    assert ["setting", "number", "14", "15"] in words
    assert ["count", "particles", "2", "1"] in words
    assert [line[1] for line in words if line and line[0] == "input"] == [
        "Extract/job012/particles.star",
        "Select/job014/particles.star",
    ]
    assert words[-1] == ["particles.star:", "different", "data_:", "2", "and", "1", "rows"]


def test_status_is_a_tree(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = read_record(project / "Select" / "job014")
    stopped = project / "Select" / "job016"
    stopped.mkdir()
    write_record(stopped, record | {"status": "running", "counts": {}, "inputs": []})
    (project / "Trash" / "job001").mkdir(parents=True)
    capsys.readouterr()
    assert cryoflow(project, "status") == 0
    words = [line.split() for line in _lines(capsys)[1:]]
    assert [line[:2] for line in words] == [
        ["Extract/job012", "unknown"],
        ["├", "Select/job014"],
        ["│", "└"],
        ["└", "Select/job016"],
    ]
    assert words[1][2:6] == ["good", "succeeded", "2", "particles"]
    assert words[1][-1] == "Extract/job012"
    assert words[2][2:4] == ["Select/job015", "succeeded"]
    assert words[3][2] == "stopped"


def test_show(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert cryoflow(project, "show", "Select/good") == 0
    out = capsys.readouterr().out
    told = {line.split("  ")[0]: line for line in out.splitlines() if line}
    assert told["job"].endswith("Select/job014 (good)")
    assert told["outputs to"].endswith("Select/job015")
    assert told["inputs from"].endswith("Extract/job012")
    assert "  subsets.maximum_metadata_value" in out
    assert "sigma_value" not in out
    assert cryoflow(project, "show", "--all", "Select/good") == 0
    assert "sigma_value_for_discarding_images" in capsys.readouterr().out


def test_two_runs_at_once_keep_out_of_each_others_way(project: Path) -> None:
    (project / "default_pipeline.star").write_text(PIPELINE)
    spec = select_spec(project.parent / "many.yaml")
    values = ["0.1,0.2,0.3,0.4,0.5", "0.6,0.7,0.8,0.9,1"]
    command = [sys.executable, "-m", "cryoflow", "run", str(spec), "device=cpu", "--multirun"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    runs = [
        subprocess.Popen([*command, f"maximum_metadata_value={value}"], cwd=project, env=environment)
        for value in values
    ]
    assert [run.wait() for run in runs] == [0, 0]
    jobs = sorted(path.parent for path in (project / "Select").glob("job*/job_record.yaml"))
    names = [f"Select/{path.name}" for path in jobs]
    assert names == ["Select/job014", "Select/job015", *(f"Select/job{100 + point}" for point in range(10))]
    assert cryoflow(project, "verify", *names) == 0
    maxima = [read_record(path)["spec"]["subsets"]["maximum_metadata_value"] for path in jobs[2:]]
    assert sorted(maxima) == [round(0.1 * step, 1) for step in range(1, 11)]
    sweeps = [read_sweep(project / "Sweep" / name) for name in ("sweep001", "sweep002")]
    told = [entry["job"] for sweep in sweeps for entry in sweep["jobs"]]
    assert sorted(told) == names[2:]
    listed = (project / "default_pipeline.star").read_text()
    assert all(f"{name}/ " in listed for name in told)
    assert "_rlnPipeLineJobCounter                      110" in listed
