"""Which numbers and aliases jobs get, and by what names the steps of a chain are known."""

from pathlib import Path

import pytest
from helpers.launch_project import cryoflow, make_project, select_spec

from cryoflow.errors import CryoflowError
from cryoflow.launch.chain.steps import find_step, read_chain
from cryoflow.project.directory import make_job_directory


@pytest.fixture
def project(tmp_path: Path, no_pictures: None) -> Path:
    return make_project(tmp_path / "project")


def test_sweeps_and_reruns_leave_the_numbers_of_later_steps(project: Path) -> None:
    spec = select_spec(project.parent / "first.yaml", number=13, alias="first")
    assert cryoflow(project, "run", spec, "device=cpu") == 0
    sweep = ("run", spec, "device=cpu", "--multirun", "maximum_metadata_value=0.2,0.5")
    assert cryoflow(project, *sweep) == 0
    assert cryoflow(project, "rerun", "Select/first") == 0
    assert cryoflow(project, *sweep) == 0
    later = select_spec(project.parent / "later.yaml", number=14)
    assert cryoflow(project, "run", later, "device=cpu") == 0
    made = sorted(path.name for path in (project / "Select").glob("job*"))
    assert made == ["job013", "job014", "job100", "job101", "job102", "job103", "job104"]
    assert make_job_directory(project, "Select", apart=True).name == "job105"
    assert make_job_directory(project, "Select").name == "job106"
    assert make_job_directory(project, "Select", apart=True).name == "job200"


def test_a_folder_that_only_looks_like_a_job_blocks_nothing(project: Path) -> None:
    (project / "backup" / "job014").mkdir(parents=True)
    assert make_job_directory(project, "Select", 14).name == "job014"
    for place, name in (("Sort", ""), ("Others", "run.job")):
        folder = project / place / ("job015" if name else "job016")
        folder.mkdir(parents=True)
        if name:
            (folder / name).touch()
        with pytest.raises(CryoflowError, match=f"{place}/{folder.name}: exists already"):
            make_job_directory(project, "Select", int(folder.name[3:]))


def test_a_new_number_comes_with_a_free_alias(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = select_spec(project.parent / "first.yaml", number=13, alias="first")
    assert cryoflow(project, "run", spec, "device=cpu") == 0
    for alias in ("first_2", "first_3"):
        capsys.readouterr()
        assert cryoflow(project, "run", spec, "device=cpu", "number=-") == 0
        assert f"Select/first is in use, so the new job is called Select/{alias}" in capsys.readouterr().out
    links = {path.name: path.readlink().name for path in (project / "Select").iterdir() if path.is_symlink()}
    assert links == {"first": "job013", "first_2": "job014", "first_3": "job015"}


@pytest.mark.parametrize(
    "word",
    ["20", "job020", "Select/job020", "first", "Select/first", "first_step", "Select/job031"],
)
def test_a_step_is_known_by_all_its_names(project: Path, word: str) -> None:
    """By file, number as written, alias, and the job that it has become."""
    select_spec(project.parent / "first_step.yaml", number=20, alias="first")
    select_spec(project.parent / "other.yaml", number=21, alias="other")
    chain = project.parent / "chain.yaml"
    chain.write_text("chain: c\nsteps: [other.yaml, first_step.yaml]\n")
    (project / "Select/job031").mkdir(parents=True)
    (project / "Select/first").symlink_to("job031")
    steps = read_chain(str(chain), ["first:number=-"])
    assert steps[find_step(steps, word, project)].spec.alias == "first"
