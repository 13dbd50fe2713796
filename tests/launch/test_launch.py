"""Jobs from specs to records, with a stand-in for the work itself."""

import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.stand_in_job import SPEC, listing, run_spec, stand_in_project

from cryoflow.launch.options import RunOptions
from cryoflow.launch.run import run_specs
from cryoflow.project.markers import FAILURE, SUCCESS
from cryoflow.project.record import read_record

project = stand_in_project


def test_job_leaves_everything_in_its_directory(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_spec(project) == 0
    directory = project / "Select" / "job014"
    assert listing(directory) == {
        "particles.star",
        "run.out",
        "run.err",
        "run.job",
        "note.txt",
        "job_record.yaml",
        "report.html",
        "RELION_OUTPUT_NODES.star",
        SUCCESS,
    }
    assert (project / "Select" / "after_sort").readlink() == Path("job014")
    assert (directory / "run.job").read_text().startswith("job_type == 7\nis_continue == false\n")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "Select/job014/"
    assert lines[-2].startswith("Select in Select/job014: 7 particles; ")
    assert listing(project) - {".cryoflow"} == {"Extract", "Select", "spec.yaml"}  # no outputs/, no multirun/


def test_record(project: Path) -> None:
    run_spec(project, "maximum_metadata_value=2.5", "seed=3", "threads=1", "device=cpu")
    record = read_record(project / "Select" / "job014")
    digest = hashlib.sha256(b"data_\n").hexdigest()
    assert record["inputs"] == [{"path": "Extract/job012/particles.star", "sha256": digest, "size": 6}]
    assert [entry["path"] for entry in record["outputs"]] == ["Select/job014/particles.star"]
    assert record["spec"]["subsets"]["maximum_metadata_value"] == 2.5
    assert record["spec"]["number"] == 14
    assert set(record["versions"]) == {"cryoflow", "numpy", "python", "torch"}
    known = {key: record[key] for key in ("command", "counts", "device", "seed", "status", "threads")}
    assert known == {
        "command": "cryoflow run spec.yaml",
        "counts": {"particles": 7},
        "device": "cpu",
        "seed": 3,
        "status": "succeeded",
        "threads": 1,
    }


def test_same_job_twice_differs_in_timings_only(project: Path) -> None:
    run_spec(project, "number=-", "alias=-")
    run_spec(project, "number=-", "alias=-")
    one, two = (read_record(project / "Select" / name) for name in ("job013", "job014"))
    assert one.pop("timings") and two.pop("timings")
    assert one.pop("outputs")[0]["sha256"] == two.pop("outputs")[0]["sha256"]
    assert one == two


@pytest.mark.parametrize(
    ("what", "told", "traced"),
    [
        (1, "stopped by ValueError: a mistake of ours; the traceback is in Select/job014/run.err", True),
        (2, "Extract/job012/particles.star: no column rlnImageName; extract first", False),
        (8, "not enough memory; use coarser settings or fewer workers (Runtime", True),
        (9, "not enough memory; use coarser settings or fewer workers (Memory", True),
        (5, "Select/job014/particles.star: no such file in the project", False),
    ],
)
def test_failed_job(
    project: Path, capsys: pytest.CaptureFixture[str], what: int, told: str, traced: bool
) -> None:
    assert run_spec(project, f"minimum_metadata_value={what}", "maximum_metadata_value=99") == 1
    directory = project / "Select" / "job014"
    assert FAILURE in listing(directory)
    assert SUCCESS not in listing(directory)
    shown = capsys.readouterr()
    assert f"Select/job014: failed: {told}" in shown.err
    assert shown.err.count("\n") == 1
    assert "Traceback" not in shown.err + shown.out
    assert ("Traceback" in (directory / "run.err").read_text()) == traced
    record = read_record(directory)
    assert (record["status"], record["error"][:20]) == ("failed", told[:20])


@pytest.mark.parametrize(("what", "told"), [(3, "terminated (SIGTERM)"), (4, "interrupted")])
def test_interrupted_job_is_a_failure(
    project: Path, capsys: pytest.CaptureFixture[str], what: int, told: str
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        run_spec(project, f"minimum_metadata_value={what}", "maximum_metadata_value=99")
    directory = project / "Select" / "job014"
    assert FAILURE in listing(directory)
    assert SUCCESS not in listing(directory)
    assert (
        capsys.readouterr().err == f"Select/job014: {told}; resume: cryoflow run --continue Select/job014\n"
    )
    assert listing(project) - {".cryoflow"} == {"Extract", "Select", "spec.yaml"}
    assert signal.getsignal(signal.SIGTERM) == before


def test_killed_job_never_claims_success(project: Path) -> None:
    (project / "spec.yaml").write_text(SPEC)
    code = f"""
import sys, time, types
from dataclasses import replace
from pathlib import Path
from cryoflow.compute.parallel import single_threads
from cryoflow.jobs.registry import JOB_TYPES
from cryoflow.cli import main
def run(spec, context):
    with single_threads(1) as pool:
        list(pool.map(lambda _: (Path({str(project)!r}, "started").touch(), time.sleep(600)), [0]))
module = types.ModuleType("stand_in")
module.run = run
sys.modules["stand_in"] = module
JOB_TYPES["Select"] = replace(JOB_TYPES["Select"], run="stand_in:run")
sys.exit(main(["run", {str(project / "spec.yaml")!r}, "--project", {str(project)!r}]))
"""
    for stop, marker in ((signal.SIGTERM, True), (signal.SIGKILL, False)):
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        while not (project / "started").exists():
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
        process.send_signal(stop)
        _, told = process.communicate()
        directory = project / "Select" / "job014"
        assert (FAILURE in listing(directory)) == marker
        assert SUCCESS not in listing(directory)
        assert b"Traceback" not in told
        assert process.returncode == (1 if marker else -signal.SIGKILL)
        (project / "started").unlink()
        (project / "Select" / "after_sort").unlink()
        directory.rename(project / "Select" / f"old{stop}")


def test_partial_job(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_spec(project, "minimum_metadata_value=6", "maximum_metadata_value=99") == 2
    record = read_record(project / "Select" / "job014")
    assert record["status"] == "partial"
    assert record["failures"] == [{"item": "a.mrc", "message": "truncated"}]
    assert capsys.readouterr().err == "warning: skipped a.mrc: truncated\n"
    assert SUCCESS in listing(project / "Select" / "job014")


def test_chain_stops_after_a_failure(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = SPEC.replace("number: 14", "").replace("alias: after_sort", "") + "  minimum_metadata_value: 2\n"
    spec = spec.replace("Maximum metadata value: 1.0", "Maximum metadata value: 99")
    (project / "spec.yaml").write_text(spec)
    assert run_specs([project / "spec.yaml"] * 3, [], RunOptions(project, "")) == 1
    assert listing(project / "Select") == {"job013"}
    assert "not started, because the previous job did not succeed: Select, Select" in capsys.readouterr().err


def test_report_that_fails_fails_no_job(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def report(job: str, directory: Path, root: Path) -> None:
        seen.append((job, directory, root, SUCCESS in listing(directory)))
        raise RuntimeError("no ink")

    monkeypatch.setattr("cryoflow.jobs.registry.draw_pictures", report)
    assert run_spec(project) == 0
    assert seen == [("Select", project / "Select" / "job014", project, False)]
    assert capsys.readouterr().err == "warning: no pictures: RuntimeError: no ink\n"
    assert SUCCESS in listing(project / "Select" / "job014")


def test_page_that_fails_fails_no_job(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def report(directory: Path) -> None:
        raise RuntimeError("no paper")

    monkeypatch.setattr("cryoflow.view.report.write_report", report)
    assert run_spec(project) == 0
    assert capsys.readouterr().err == "warning: no report.html: RuntimeError: no paper\n"
    assert SUCCESS in listing(project / "Select" / "job014")


def test_value_outside_hydras_grammar(project: Path) -> None:
    odd = "Extract/job012/a (copy), old=1.star"
    (project / odd).write_text("data_\n")
    assert run_spec(project, f"io.select_from_particles_star={odd}") == 0
    record = read_record(project / "Select" / "job014")
    assert record["inputs"][0]["path"] == odd
