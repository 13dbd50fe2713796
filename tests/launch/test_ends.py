"""Exit codes of jobs that keep nothing, and what status says of jobs of others and of other folders."""

from pathlib import Path

import pytest
from helpers.launch_project import cryoflow, make_project, select_spec
from helpers.particle_project import BLOBS
from helpers.particle_project import make_project as make_particle_project
from helpers.stand_in_job import run_spec as run_stand_in
from helpers.stand_in_job import stand_in_project

from cryoflow.launch.job.rerun import rerun_job
from cryoflow.launch.run import run_spec
from cryoflow.project.directory import make_job_directory
from cryoflow.project.jobs import list_jobs
from cryoflow.project.record import read_record
from cryoflow.project.trash import TRASH

stand_in = stand_in_project


def test_a_job_that_keeps_nothing_has_an_exit_code_of_its_own(
    tmp_path: Path, no_pictures: None, capsys: pytest.CaptureFixture[str]
) -> None:
    project = make_project(tmp_path / "project")
    spec = select_spec(tmp_path / "spec.yaml", 0.01, number=14)
    other = select_spec(tmp_path / "other.yaml", 0.5, "Select/job014", number=15)
    assert cryoflow(project, "run", spec, "device=cpu") == 3
    assert "warning: Select/job014 keeps nothing: 0 particles" in capsys.readouterr().err
    (tmp_path / "chain.yaml").write_text("chain: c\nsteps: [spec.yaml, other.yaml]\n")
    assert cryoflow(project, "run", tmp_path / "chain.yaml", "device=cpu", "--force", "--replace") == 3
    assert "not started" in capsys.readouterr().err and other.exists()
    assert not (project / "Select/job015").exists()


def test_an_empty_point_of_a_sweep_is_no_news(tmp_path: Path, no_pictures: None) -> None:
    project = make_project(tmp_path / "project")
    spec = select_spec(tmp_path / "spec.yaml")
    assert cryoflow(project, "run", spec, "device=cpu", "-m", "maximum_metadata_value=0.01,0.5") == 0


def test_status_of_a_folder_that_is_no_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, why in ((tmp_path, "no jobs and no default_pipeline.star here"), (tmp_path / "x", "no such")):
        assert cryoflow(folder, "status") == 2
        assert capsys.readouterr().err.startswith(f"{folder}: {why}")
    (tmp_path / "default_pipeline.star").touch()
    assert cryoflow(tmp_path, "status") == 0


@pytest.mark.parametrize(
    ("columns", "values"),
    [
        (
            "_rlnPipeLineProcessStatus #2",
            {"4": "aborted", "2": "succeeded", "1": "scheduled"},
        ),
        ("_rlnPipeLineProcessStatusLabel #2", {"Failed": "failed", "Succeeded": "succeeded"}),
    ],
)
def test_jobs_of_relion_have_the_state_of_the_pipeline_file(
    tmp_path: Path, columns: str, values: dict[str, str]
) -> None:
    rows = ""
    for number, value in enumerate(values, 1):
        (tmp_path / f"CtfFind/job{number:03d}").mkdir(parents=True)
        rows += f"CtfFind/job{number:03d}/ {value} None 2\n"
    kind = columns.replace("Status", "Type").replace("#2", "#4")
    head = "data_pipeline_general\n\n_rlnPipeLineJobCounter 9\n\ndata_pipeline_processes\n\nloop_\n"
    head += f"_rlnPipeLineProcessName #1\n{columns}\n_rlnPipeLineProcessAlias #3\n{kind}\n"
    (tmp_path / "default_pipeline.star").write_text(head + rows)
    (tmp_path / "CtfFind/job099").mkdir()
    states = [job.state for job in list_jobs(tmp_path)]
    assert states == [*values.values(), "unknown"]


def test_of_two_runs_with_one_alias_the_second_is_refused(tmp_path: Path, no_pictures: None) -> None:
    """Both have found the alias free; the first links it while the second makes its directory."""
    from cryoflow.errors import CryoflowError

    def fill(_: Path) -> None:
        make_job_directory(tmp_path, "Select", None, "good")

    with pytest.raises(CryoflowError, match="Select/good: this alias belongs to job"):
        make_job_directory(tmp_path, "Select", None, "good", fill)
    (link, directory) = sorted((tmp_path / "Select").iterdir(), key=lambda path: path.name[:1] != "g")
    assert link.is_symlink() and link.resolve() == directory and not (tmp_path / TRASH).exists()


def test_a_rerun_has_the_threads_of_the_first_run(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.get_num_threads", lambda: 3)
    assert run_stand_in(stand_in) == 0
    directory = stand_in / "Select/job014"
    assert read_record(directory)["spec"]["compute"]["threads"] is None
    assert read_record(directory)["threads"] == 3
    done = rerun_job(stand_in, directory, "cryoflow rerun")
    assert read_record(stand_in / done.directory)["spec"]["compute"]["threads"] == 3


def test_counts_of_kept_micrographs_are_called_so(tmp_path: Path) -> None:
    """A count ``kept`` beside hundreds of particles was of micrographs that an earlier run had done."""
    project = make_particle_project(tmp_path)
    counts = read_record(project / run_spec(BLOBS, project=project).directory)["counts"]
    assert "kept" not in counts and counts["kept_micrographs"] == 0
