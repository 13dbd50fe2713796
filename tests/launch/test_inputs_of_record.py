"""Inputs that appear, and inputs that change while a job reads them."""

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from helpers.particle_project import extract_spec, make_project, picks

from cryoflow.files.star import write_star
from cryoflow.jobs.registry import JOB_TYPES, runner
from cryoflow.launch.previous_runs import step_status
from cryoflow.launch.run import run_spec
from cryoflow.project.context import JobContext, JobResult
from cryoflow.project.jobs import list_jobs
from cryoflow.project.record import read_record
from cryoflow.project.verify import changed_files
from cryoflow.spec import Extract


@pytest.mark.parametrize(
    "given", ["AutoPick/job011/coords_suffix_autopick.star", "AutoPick/job011/Movies", "AutoPick/job011"]
)
def test_a_new_coordinate_file_is_a_changed_input(tmp_path: Path, no_pictures: None, given: str) -> None:
    project = make_project(tmp_path)
    new = project / "AutoPick/job011/Movies/mic2_autopick.star"
    new.unlink()
    spec = extract_spec({"input_coordinates": given})
    outcome = run_spec(spec, project=project)
    assert outcome.code == 0 and "10 particles from 2 micrographs" in outcome.message
    record = read_record(project / outcome.directory)
    assert changed_files(project, record) == []
    assert {job.state for job in list_jobs(project) if job.record} == {"succeeded"}
    write_star(new, {"": picks(2)})
    (change,) = changed_files(project, record, ("input",))
    assert change.path in (given, "AutoPick/job011/Movies/mic2_autopick.star")
    if change.path.endswith("star"):
        assert change.what == "was missing when recorded"
    else:
        assert change.what == "has changed: 2 coordinate files when recorded, now 3"
    recorded = extract_spec({"input_coordinates": given}, number=1)
    assert step_status(project, recorded, outcome.directory).action != "skip"
    assert {job.state for job in list_jobs(project) if job.record} == {"outdated"}


@pytest.mark.parametrize("removed", [False, True])
def test_an_input_that_changes_while_the_job_runs_is_not_called_up_to_date(
    tmp_path: Path,
    no_pictures: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    removed: bool,
) -> None:
    project = make_project(tmp_path)
    micrograph = project / "MotionCorr/job002/Movies/mic2.mrc"
    content = micrograph.read_bytes()
    extract = runner("Extract")

    def run(spec: Extract, context: JobContext) -> JobResult:
        result = extract(spec, context)
        micrograph.unlink()
        if not removed:
            micrograph.write_bytes(content[:-1] + b"\1")
        return result

    module = ModuleType("changing")
    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "changing", module)
    monkeypatch.setitem(JOB_TYPES, "Extract", replace(JOB_TYPES["Extract"], run="changing:run"))
    outcome = run_spec(extract_spec(), project=project, quiet=False)
    told = "MotionCorr/job002/Movies/mic2.mrc changed while the job ran, so its results count as outdated"
    assert told in capsys.readouterr().err
    (change,) = changed_files(project, read_record(project / outcome.directory))
    assert change[1:] == (
        "MotionCorr/job002/Movies/mic2.mrc",
        "is gone" if removed else "changed while the job ran, or could not be read",
    )
