"""Jobs from specs to records, with a small stand-in for the work itself."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import yaml

from cryoflow.errors import CryoflowError, SpecError
from cryoflow.jobs import RUNNERS
from cryoflow.launch.job import device
from cryoflow.launch.job.device import resolve_device
from cryoflow.launch.run import RunOptions, run_specs
from cryoflow.project.context import Failure, JobContext, JobResult
from cryoflow.project.markers import FAILURE, SUCCESS
from cryoflow.project.record import read_record
from cryoflow.spec import Select, parse_spec
from cryoflow.spec.gpu import wanted_device

SPEC = """
job: Select
number: 14
alias: after_sort
io:
  OR select from particles.star: Extract/job012/particles.star
subsets:
  Select based on metadata values?: Yes
  Metadata label for subset selection: rlnParticleSelectZScore
  Maximum metadata value: 1.0
"""


def _select(spec: Select, context: JobContext) -> JobResult:
    """Stands in for a job; the lower limit of the subset says what is to go wrong."""
    what = spec.subsets.minimum_metadata_value
    name = context.relative(context.directory / "particles.star")
    source = str(spec.io.select_from_particles_star)
    if what == 1:
        raise ValueError("a mistake\nof ours")
    if what == 2:
        raise CryoflowError(f"{source}: no column rlnImageName; extract first")
    if what == 3:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    if what == 4:
        raise KeyboardInterrupt
    if what != 5:
        (context.project / name).write_text(f"{what} {context.device} {context.continuing}\n")
    if what == 8:
        torch.empty(1 << 60)
    if what == 9:
        np.empty(1 << 50)
    if what == 7:
        raise CryoflowError("no more paper")
    failures = (Failure("a.mrc", "truncated"),) if what == 6 else ()
    node = (name, "ParticleGroupMetadata.star.relion")
    return JobResult((source,), (name,), {"particles": 7}, failures, "7 particles", (node,))


@pytest.fixture
def project(tmp_path: Path, no_pictures: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    module = ModuleType("stand_in")
    module.run = _select  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "stand_in", module)
    monkeypatch.setitem(RUNNERS, "Select", "stand_in")
    (tmp_path / "Extract" / "job012").mkdir(parents=True)
    (tmp_path / "Extract" / "job012" / "particles.star").write_text("data_\n")
    return tmp_path


def _run(project: Path, *overrides: str, spec: str | None = SPEC, **options: object) -> int:
    paths = []
    if spec is not None:
        paths = [project / "spec.yaml"]
        paths[0].write_text(spec)
    given = RunOptions(project, "cryoflow run spec.yaml", **options)  # type: ignore[arg-type]
    return run_specs(paths, overrides, given)


def _listing(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_job_leaves_everything_in_its_directory(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(project) == 0
    directory = project / "Select" / "job014"
    assert _listing(directory) == {
        "particles.star",
        "run.out",
        "run.err",
        "run.job",
        "note.txt",
        "job_record.yaml",
        "RELION_OUTPUT_NODES.star",
        SUCCESS,
    }
    assert (project / "Select" / "after_sort").readlink() == Path("job014")
    assert (directory / "run.job").read_text().startswith("job_type == 7\nis_continue == false\n")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "Select/job014/"
    assert lines[-2].startswith("Select in Select/job014: 7 particles; ")
    assert _listing(project) == {".cryoflow", "Extract", "Select", "spec.yaml"}  # no outputs/, no multirun/


def test_record(project: Path) -> None:
    _run(project, "maximum_metadata_value=2.5", "seed=3", "threads=1", "device=cpu")
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
    _run(project, "number=-", "alias=-")
    _run(project, "number=-", "alias=-")
    one, two = (read_record(project / "Select" / name) for name in ("job013", "job014"))
    assert one.pop("timings") and two.pop("timings")
    assert one.pop("outputs")[0]["sha256"] == two.pop("outputs")[0]["sha256"]
    assert one == two


@pytest.mark.parametrize(
    ("what", "told", "traced"),
    [
        (1, "stopped by ValueError: a mistake of ours; the traceback is in Select/job014/run.err", True),
        (2, "Extract/job012/particles.star: no column rlnImageName; extract first", False),
        (8, "too little memory for these settings; coarser ones, or fewer workers, need less (Runtime", True),
        (9, "too little memory for these settings; coarser ones, or fewer workers, need less (Memory", True),
        (5, "Select/job014/particles.star: no such file in the project", False),
    ],
)
def test_failed_job(
    project: Path, capsys: pytest.CaptureFixture[str], what: int, told: str, traced: bool
) -> None:
    assert _run(project, f"minimum_metadata_value={what}", "maximum_metadata_value=99") == 1
    directory = project / "Select" / "job014"
    assert FAILURE in _listing(directory)
    assert SUCCESS not in _listing(directory)
    shown = capsys.readouterr()
    assert f"Select/job014: failed: {told}" in shown.err
    assert shown.err.count("\n") == 1
    assert "Traceback" not in shown.err + shown.out
    assert ("Traceback" in (directory / "run.err").read_text()) == traced
    record = read_record(directory)
    assert (record["status"], record["error"][:20]) == ("failed", told[:20])


@pytest.mark.parametrize(("what", "told"), [(3, "told to stop (SIGTERM)"), (4, "interrupted")])
def test_interrupted_job_is_a_failure(
    project: Path, capsys: pytest.CaptureFixture[str], what: int, told: str
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        _run(project, f"minimum_metadata_value={what}", "maximum_metadata_value=99")
    directory = project / "Select" / "job014"
    assert FAILURE in _listing(directory)
    assert SUCCESS not in _listing(directory)
    assert capsys.readouterr().err == f"Select/job014: failed: {told}\n"
    assert _listing(project) == {".cryoflow", "Extract", "Select", "spec.yaml"}
    assert signal.getsignal(signal.SIGTERM) == before


def test_killed_job_never_claims_success(project: Path) -> None:
    (project / "spec.yaml").write_text(SPEC)
    code = f"""
import sys, time, types
from pathlib import Path
from cryoflow.compute.parallel import single_threads
from cryoflow.jobs import RUNNERS
from cryoflow.cli import main
def run(spec, context):
    with single_threads(1) as pool:
        list(pool.map(lambda _: (Path({str(project)!r}, "started").touch(), time.sleep(600)), [0]))
module = types.ModuleType("stand_in")
module.run = run
sys.modules["stand_in"] = module
RUNNERS["Select"] = "stand_in"
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
        assert (FAILURE in _listing(directory)) == marker
        assert SUCCESS not in _listing(directory)
        assert b"Traceback" not in told
        assert process.returncode == (1 if marker else -signal.SIGKILL)
        (project / "started").unlink()
        (project / "Select" / "after_sort").unlink()
        directory.rename(project / "Select" / f"old{stop}")


def test_partial_job(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(project, "minimum_metadata_value=6", "maximum_metadata_value=99") == 2
    record = read_record(project / "Select" / "job014")
    assert record["status"] == "partial"
    assert record["failures"] == [{"item": "a.mrc", "message": "truncated"}]
    assert capsys.readouterr().err == "warning: left out a.mrc: truncated\n"
    assert SUCCESS in _listing(project / "Select" / "job014")


def test_continue_with_the_recorded_spec(project: Path) -> None:
    assert _run(project, "minimum_metadata_value=2", "maximum_metadata_value=99") == 1
    directory = project / "Select" / "job014"
    assert _run(project, "minimum_metadata_value=0.5", spec=None, continued="Select/after_sort") == 0
    assert SUCCESS in _listing(directory)
    assert FAILURE not in _listing(directory)
    assert (directory / "particles.star").read_text().endswith(" True\n")
    assert read_record(directory)["spec"]["subsets"]["minimum_metadata_value"] == 0.5
    assert "is_continue == true\n" in (directory / "run.job").read_text()
    assert (directory / "note.txt").read_text().count("Executing new job") == 2
    assert _listing(project / "Select") == {"job014", "after_sort"}


@pytest.mark.parametrize("what", [1, 2])
def test_a_start_that_fails_leaves_the_job_as_it_was(
    project: Path, capsys: pytest.CaptureFixture[str], what: int
) -> None:
    """The settings that it failed with would otherwise be taken up by the next ``--continue``."""
    _run(project)
    directory = project / "Select" / "job014"
    before = {path: path.read_bytes() for path in directory.iterdir() if path.suffix not in {".txt", ".err"}}
    capsys.readouterr()
    given = (f"minimum_metadata_value={what}", "maximum_metadata_value=99")
    assert _run(project, *given, spec=None, continued="Select/job014") == 1
    assert capsys.readouterr().err.startswith("Select/job014: not continued, and left as it was: ")
    now = {path: path.read_bytes() for path in directory.iterdir() if path.suffix not in {".txt", ".err"}}
    assert now == before
    assert _run(project, "seed=3", spec=None, continued="Select/job014") == 0
    subsets = read_record(directory)["spec"]["subsets"]
    assert (subsets["minimum_metadata_value"], subsets["maximum_metadata_value"]) == (-9999, 1.0)


def test_settings_stay_where_the_job_got_going_or_was_stopped(project: Path) -> None:
    assert _run(project) == 0
    directory = project / "Select" / "job014"
    given: dict[str, object] = {"spec": None, "continued": "Select/job014"}
    with pytest.raises(KeyboardInterrupt):
        _run(project, "minimum_metadata_value=4", "maximum_metadata_value=99", **given)
    assert read_record(directory)["spec"]["subsets"]["minimum_metadata_value"] == 4
    assert _run(project, "minimum_metadata_value=7", **given) == 1
    assert "no more paper" in read_record(directory)["error"]
    assert read_record(directory)["spec"]["subsets"]["minimum_metadata_value"] == 7


def test_a_job_of_relion_that_cannot_be_continued_is_left_alone(project: Path) -> None:
    directory = project / "Select" / "job014"
    directory.mkdir(parents=True)
    (directory / "run.job").write_text("job_type == 7\n")
    assert (
        _run(project, "minimum_metadata_value=2", "maximum_metadata_value=99", continued=str(directory)) == 1
    )
    assert _listing(directory) == {"run.job", "run.out", "run.err", "note.txt"}
    assert (directory / "run.job").read_text() == "job_type == 7\n"


def test_continue_with_a_spec_of_another_type(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _run(project)
    sort = "job: Sort\nio: {input_particles_to_be_sorted: Extract/job012/particles.star, "
    sort += "autopicking_references: Extract/job012/particles.star}\n"
    assert _run(project, spec=sort, continued="Select/job014") == 2
    assert "Select/job014: cannot be continued by a job of type Sort" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"continued": "Select/job014", "multirun": True}, "one directory cannot hold several jobs"),
        ({"continued": "Select/job099"}, "no such job directory"),
        ({"multirun": True, "launcher": "pigeon"}, "no such launcher; there are joblib, local, slurm"),
    ],
)
def test_options_that_do_not_go(project: Path, options: dict[str, object], why: str) -> None:
    with pytest.raises(CryoflowError, match=why):
        _run(project, **options)
    assert not (project / "Select").exists()


def test_directory_that_exists(project: Path) -> None:
    (project / "Select" / "job014").mkdir(parents=True)
    before = sorted(project.rglob("*"))
    (project / "spec.yaml").touch()
    with pytest.raises(SpecError, match=r"^Select/job014: this job directory exists already"):
        _run(project)
    assert sorted(project.rglob("*")) == sorted([*before, project / "spec.yaml"])


def test_two_specs_with_one_number(project: Path) -> None:
    (project / "spec.yaml").write_text(SPEC)
    with pytest.raises(SpecError, match="another spec has this number as well"):
        run_specs([project / "spec.yaml"] * 2, ["alias=-"], RunOptions(project, ""))


def test_missing_input_is_refused_before_anything_is_written(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(project, "io.select_from_particles_star=Extract/job013/particles.star") == 2
    told = capsys.readouterr().err
    assert told.startswith("Extract/job013/particles.star: no such file in the project ")
    assert told.count("\n") == 1
    assert _listing(project) == {"Extract", "spec.yaml"}


def test_read_only_project_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "spec.yaml").write_text(SPEC)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(CryoflowError, match="the project is read-only, nothing was written"):
        run_specs([project / "spec.yaml"], [], RunOptions(project, ""))
    assert _listing(project) == {"Extract", "spec.yaml"}


def test_sweep_gives_every_point_a_directory(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = ("Minimum metadata value=0,1,6,0.25", "maximum_metadata_value=99")
    assert _run(project, *overrides, multirun=True) == 1
    found = {
        path.name: read_record(path)["spec"]["subsets"]["minimum_metadata_value"]
        for path in (project / "Select").iterdir()
    }
    assert found == {"job013": 0, "job014": 1, "job015": 6, "job016": 0.25}
    states = [read_record(project / "Select" / name)["status"] for name in sorted(found)]
    assert states == ["succeeded", "failed", "partial", "succeeded"]
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == "Sweep/sweep001/"
    assert out[-5:-1] == [f"Select/{name}/" for name in sorted(found)]
    assert "Select: 4 points, each with the next free number and no alias" in out


def test_sweep_with_a_bad_point_starts_nothing(project: Path) -> None:
    with pytest.raises(SpecError) as caught:
        _run(project, "sigma_value_for_discarding_images=3,-4,x", multirun=True)
    assert len(caught.value.problems) == 2
    assert not (project / "Select").exists()


def test_list_without_multirun_is_refused(project: Path) -> None:
    with pytest.raises(SpecError, match="several values; add --multirun for a job each, or write"):
        _run(project, "minimum_metadata_value=0,1")


def test_chain_stops_after_a_failure(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = SPEC.replace("number: 14", "").replace("alias: after_sort", "") + "  minimum_metadata_value: 2\n"
    spec = spec.replace("Maximum metadata value: 1.0", "Maximum metadata value: 99")
    (project / "spec.yaml").write_text(spec)
    assert run_specs([project / "spec.yaml"] * 3, [], RunOptions(project, "")) == 1
    assert _listing(project / "Select") == {"job013"}
    assert "not started, since the job before did not end well: Select, Select" in capsys.readouterr().err


def test_override_goes_to_the_specs_that_have_it(project: Path) -> None:
    (project / "spec.yaml").write_text(SPEC)
    (project / "sort.yaml").write_text(
        "job: Sort\nio: {input_particles_to_be_sorted: Extract/job012/particles.star}\n"
    )
    paths = [project / "spec.yaml", project / "sort.yaml"]
    with pytest.raises(SpecError) as caught:
        run_specs(paths, ["sigma_value=3", "colour=red"], RunOptions(project, ""))
    told = "\n".join(caught.value.problems)
    assert "Select has no field 'colour'" in told
    assert "Sort has no field 'colour'" in told


def test_report_that_fails_fails_no_job(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def report(job: str, directory: Path, root: Path) -> None:
        seen.append((job, directory, root, SUCCESS in _listing(directory)))
        raise RuntimeError("no ink")

    monkeypatch.setattr("cryoflow.view.report", report)
    assert _run(project) == 0
    assert seen == [("Select", project / "Select" / "job014", project, False)]
    assert capsys.readouterr().err == "warning: no report: RuntimeError: no ink\n"
    assert SUCCESS in _listing(project / "Select" / "job014")


def test_value_outside_hydras_grammar(project: Path) -> None:
    odd = "Extract/job012/a (copy), old=1.star"
    (project / odd).write_text("data_\n")
    assert _run(project, f"io.select_from_particles_star={odd}") == 0
    record = read_record(project / "Select" / "job014")
    assert record["inputs"][0]["path"] == odd


@pytest.mark.parametrize(
    ("wanted", "count", "found"),
    [
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda:0"),
        ("cpu", 2, "cpu"),
        ("cuda", 1, "cuda:0"),
        ("cuda:1", 2, "cuda:1"),
    ],
)
def test_device(monkeypatch: pytest.MonkeyPatch, wanted: str, count: int, found: str) -> None:
    _devices(monkeypatch, count)
    assert resolve_device(wanted) == found


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({}, "auto"),
        ({"use_gpu_acceleration": "Yes"}, "cuda"),
        ({"use_gpu_acceleration": "Yes", "which_gpus_to_use": "1"}, "cuda:1"),
        ({"use_gpu_acceleration": "Yes", "device": "cuda:2"}, "cuda:2"),
        ({"device": "cpu"}, "cpu"),
    ],
)
def test_yes_to_gpu_insists_on_one(values: dict[str, str], wanted: str) -> None:
    spec = {"job": "Class2D", "io": {"input_images_star_file": "a.star"}, "compute": values}
    assert wanted_device(parse_spec(spec)) == wanted
    sort = {"input_particles_to_be_sorted": "a.star", "autopicking_references": "b.star"}
    assert wanted_device(parse_spec({"job": "Sort", "io": sort})) == "auto"


@pytest.mark.parametrize(("wanted", "count"), [("cuda", 0), ("cuda:1", 1)])
def test_device_that_is_not_there(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wanted: str,
    count: int,
) -> None:
    _devices(monkeypatch, count)
    assert _run(project, f"device={wanted}") == 2
    assert (
        f"compute > Device: '{wanted}' is not there (torch finds {count} CUDA device"
        in capsys.readouterr().err
    )
    assert not (project / "Select").exists()


def _devices(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def test_threads_are_set_for_the_job_only() -> None:
    import torch

    before = torch.get_num_threads()
    with device.torch_threads(before + 1) as threads:
        assert threads == torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_presets_are_launchers() -> None:
    from cryoflow.launch.launchers import FOLDER

    for path in FOLDER.glob("*.yaml"):
        assert yaml.safe_load(path.read_text())["_target_"].endswith("Launcher")


PARTICLES = """
data_

loop_
_rlnImageName #1
_rlnMicrographName #2
_rlnParticleSelectZScore #3
000001@Extract/job012/a.mrcs Micrographs/a.mrc 0.1
000002@Extract/job012/a.mrcs Micrographs/a.mrc 0.4
000003@Extract/job012/a.mrcs Micrographs/a.mrc 0.9
"""


def test_sweep_in_processes_of_joblib(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A real job, since workers know no stand-ins."""
    (tmp_path / "Extract" / "job012").mkdir(parents=True)
    (tmp_path / "Extract" / "job012" / "particles.star").write_text(PARTICLES)
    overrides = ("maximum_metadata_value=0.2,0.5", "minimum_metadata_value=-1", "device=cpu")
    assert _run(tmp_path, *overrides, multirun=True, launcher="joblib") == 0
    out = capsys.readouterr().out.splitlines()
    assert sorted(out[-3:-1]) == ["Select/job013/", "Select/job014/"]
    kept = {}
    for name in ("job013", "job014"):
        record = read_record(tmp_path / "Select" / name)
        text = (tmp_path / "Select" / name / "particles.star").read_text()
        kept[record["spec"]["subsets"]["maximum_metadata_value"]] = text.count("@Extract/job012/a.mrcs")
    assert kept == {0.2: 1, 0.5: 2}
    assert _listing(tmp_path / ".cryoflow") == {"hashes", "numbers"}
