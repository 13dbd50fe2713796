"""Chains: order, what is up to date, what runs again."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.launch_project import cryoflow, kept, make_project, select_spec

from cryoflow.cli import main
from cryoflow.files.mrc import write_mrc
from cryoflow.files.star import write_star
from cryoflow.launch.chain.steps import is_chain, read_chain
from cryoflow.launch.inputs import input_files, with_files
from cryoflow.launch.job.memory import BASE_GB, expected_gb
from cryoflow.project.record import read_record
from cryoflow.spec import parse_spec

TUTORIAL = Path(__file__).parents[2] / "specs" / "tutorial.yaml"

CHAIN = """
chain: selections
steps:
  - spec: last.yaml
    OR select from particles.star: Select/middle
  - spec: first.yaml
  - spec: middle.yaml
    OR select from particles.star: Select/first/particles.star
  - beside.yaml
"""


@pytest.fixture
def project(tmp_path: Path, no_pictures: None) -> Path:
    """Three selections in a row, the last listed first, and one that only takes of the first's input."""
    project = make_project(tmp_path / "project")
    for number, (name, most) in enumerate(
        {"first": 0.8, "middle": 0.5, "last": 0.2, "beside": 0.3}.items(), 20
    ):
        select_spec(tmp_path / f"{name}.yaml", most, number=number, alias=name)
    (tmp_path / "chain.yaml").write_text(CHAIN)
    return project


def _chain(project: Path, *words: str) -> int:
    return cryoflow(project, "run", project.parent / "chain.yaml", "device=cpu", *words)


def _done(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return why each step ran or did not, in the order of the steps."""
    lines = [
        line.split(": ", 1) for line in capsys.readouterr().out.splitlines() if line.startswith("Select/")
    ]
    return {line[0].split(" ")[0].removeprefix("Select/"): line[1] for line in lines if "(Select/" in line[0]}


def test_steps_run_behind_those_that_feed_them_and_once(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _chain(project) == 0
    assert _done(capsys) == dict.fromkeys(["first", "middle", "last", "beside"], "not run yet")
    assert [kept(project, f"Select/job0{number}") for number in (20, 21, 22, 23)] == [2, 2, 1, 1]
    inputs = read_record(project / "Select" / "job022")["inputs"]
    assert [entry["path"] for entry in inputs] == ["Select/job021/particles.star"]
    before = {path: path.stat().st_mtime_ns for path in (project / "Select").rglob("*")}
    assert _chain(project) == 0
    assert _done(capsys) == dict.fromkeys(["first", "middle", "last", "beside"], "up to date")
    assert {path: path.stat().st_mtime_ns for path in (project / "Select").rglob("*")} == before


def test_files_named_outside_the_first_tab_feed_a_step_as_well(project: Path) -> None:
    by_name = select_spec(project.parent / "by_name.yaml", 1, number=24, alias="by_name")
    with by_name.open("a") as file:
        file.write("selection: {rows_in: Select/first/particles.star}\n")
    (project.parent / "chain.yaml").write_text("chain: names\nsteps: [by_name.yaml, first.yaml]\n")
    assert _chain(project) == 0
    assert kept(project, "Select/job024") == kept(project, "Select/job020") == 2
    inputs = read_record(project / "Select" / "job024")["inputs"]
    assert [entry["path"] for entry in inputs] == [
        "Extract/job012/particles.star",
        "Select/job020/particles.star",
    ]


@pytest.mark.parametrize(
    ("tab", "field", "there"),
    [("selection", "scores", "particles_scores.star"), ("selection", "rows_in", "particles.star")],
)
def test_a_job_named_outside_the_first_tab_means_its_file(
    tmp_path: Path, tab: str, field: str, there: str
) -> None:
    (tmp_path / "Sort/job013").mkdir(parents=True)
    (tmp_path / "Sort/job013" / there).touch()
    (tmp_path / "Sort/learnt").symlink_to("job013")
    io = {"select_from_particles_star": "a.star"}
    more = {"q_value_max": 0.1} if field == "scores" else {}
    spec = parse_spec({"job": "Select", "io": io, tab: {field: "Sort/learnt", **more}})
    assert input_files(spec) == ("a.star", "Sort/learnt")
    assert input_files(with_files(tmp_path, spec)) == ("a.star", f"Sort/job013/{there}")


def test_a_classification_means_its_last_iteration(tmp_path: Path) -> None:
    """RELION goes on in the same directory, under another name."""
    (tmp_path / "Class2D/job015").mkdir(parents=True)
    for name in ("run_it019", "run_it020", "run_ct20_it021", "run_ct20_it025"):
        (tmp_path / f"Class2D/job015/{name}_model.star").touch()
    spec = parse_spec({"job": "Select", "io": {"select_classes_from_model_star": "Class2D/job015"}})
    assert input_files(with_files(tmp_path, spec)) == ("Class2D/job015/run_ct20_it025_model.star",)


def test_changed_threshold_runs_only_what_depends_on_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _chain(project)
    capsys.readouterr()
    assert _chain(project, "--replace", "21:maximum_metadata_value=0.3") == 0
    done = _done(capsys)
    assert done["first"] == done["beside"] == "up to date"
    assert done["middle"] == "maximum_metadata_value is 0.3, was 0.5"
    assert done["last"] == "Select/job021/particles.star has changed"
    assert kept(project, "Select/job021") == 1
    assert kept(project, "Trash/Select/job021") == 2
    assert (project / "Select" / "middle").readlink() == Path("job021")


def test_trash_holds_the_result_before_the_latest(project: Path) -> None:
    for most in (0.8, 0.7, 0.6):
        assert _chain(project, "--replace", "--to", "first", f"first:maximum_metadata_value={most}") == 0
    for folder, most in (("Select", 0.6), ("Trash/Select", 0.7)):
        record = read_record(project / folder / "job020")
        assert record["spec"]["subsets"]["maximum_metadata_value"] == most


def test_output_that_stays_the_same_ends_the_chain_of_reruns(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _chain(project)
    capsys.readouterr()
    assert _chain(project, "--replace", "first:maximum_metadata_value=0.7") == 0
    done = _done(capsys)
    assert done["first"] == "maximum_metadata_value is 0.7, was 0.8"
    assert done["middle"] == done["last"] == "up to date"


def test_a_step_whose_output_is_gone_runs_again_in_its_directory(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _chain(project)
    output = project / "Select" / "job022" / "particles.star"
    before = output.read_bytes()
    output.unlink()
    capsys.readouterr()
    assert _chain(project) == 0
    done = _done(capsys)
    assert done.pop("last") == "Select/job022/particles.star is gone"
    assert set(done.values()) == {"up to date"}
    assert output.read_bytes() == before
    assert not (project / "Trash/Select/job022/particles.star").exists()
    assert (project / "Trash/Select/job022/job_record.yaml").exists()


def test_input_that_changes_and_output_that_is_gone(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _chain(project)
    (project / "Select" / "job022" / "particles.star").unlink()
    table = project / "Extract" / "job012" / "particles.star"
    table.write_text(table.read_text().replace("10.0", "11.0"))
    capsys.readouterr()
    assert _chain(project, "--replace") == 0
    done = _done(capsys)
    assert done["first"] == done["beside"] == "Extract/job012/particles.star has changed"
    assert done["middle"] == "Select/job020/particles.star has changed"
    assert done["last"] == "Select/job021/particles.star has changed"


def test_output_changed_by_hand_is_neither_called_up_to_date_nor_replaced_unasked(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _chain(project)
    table = project / "Select" / "job020" / "particles.star"
    changed = table.read_text().replace("10.0", "11.0")
    table.write_text(changed)
    capsys.readouterr()
    assert _chain(project) == 2
    told = capsys.readouterr().err
    assert (
        "Select/first (Select/job020): would replace finished results: Select/job020/particles.star is not"
        in told
    )
    assert table.read_text() == changed
    assert _chain(project, "--from", "middle", "--replace") == 0
    assert _done(capsys)["middle"] == "Select/job020/particles.star has changed"
    assert _chain(project, "--replace") == 0
    assert "11.0" not in table.read_text()
    assert (project / "Trash/Select/job020/particles.star").read_text() == changed


def test_from_to_and_force(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _chain(project, "--to", "21") == 0
    assert list(_done(capsys)) == ["first", "middle"]
    assert _chain(project, "--from", "middle", "--to", "Select/last", "--force", "--replace") == 0
    assert _done(capsys) == {"middle": "forced", "last": "not run yet"}
    assert _chain(project, "--from", "Sort/x") == 2
    assert "no step 'Sort/x' in this chain; its steps are Select/first, " in capsys.readouterr().err


def test_dry_run_writes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _chain(project, "--dry-run") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "Select/first would run in Select/job020: not run yet"
    assert out[1] == "  reads Extract/job012/particles.star"
    assert "  reads Select/job021/particles.star (does not exist yet)" in out
    assert not (project / "Select").exists()
    _chain(project)
    capsys.readouterr()
    assert _chain(project, "-n", "20:maximum_metadata_value=0.3") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert lines == [
        "Select/first would run again in Select/job020: maximum_metadata_value is 0.3, was 0.8"
        "; this replaces finished results and needs --replace",
        "Select/middle would run again in Select/job021: uses files of Select/first",
        "Select/last would run again in Select/job022: uses files of Select/middle",
        "Select/beside would be skipped: up to date",
    ]


def test_dry_run_of_single_specs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = select_spec(project.parent / "one.yaml")
    assert cryoflow(project, "run", spec, "-n") == 0
    assert capsys.readouterr().out.splitlines()[0] == "Select would run with the next free number"
    assert cryoflow(project, "run", spec, "-n", "--multirun", "maximum_metadata_value=0.1,0.2") == 0
    assert "2 times" in capsys.readouterr().out
    assert not (project / "Select").exists()


def test_memory_of_a_classification_that_goes_on_is_told(tmp_path: Path) -> None:
    write_mrc(tmp_path / "a.mrcs", np.ones((2, 96, 96), np.float32), 3.5)
    particles = pd.DataFrame({"rlnImageName": ["000001@a.mrcs", "000002@a.mrcs"]})
    for name in ("particles.star", "run_it010_data.star"):
        write_star(tmp_path / name, {"": particles})
    classes = {"number_of_classes": 50}
    new, again = (
        expected_gb(parse_spec({"job": "Class2D", "optimization": classes, "io": io}), tmp_path)
        for io in (
            {"input_images_star_file": "particles.star"},
            {"continue_from_here": "run_it010_optimiser.star"},
        )
    )
    assert new == again is not None and new > BASE_GB


def test_workers_share_the_threads_when_memory_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    write_mrc(tmp_path / "a.mrc", np.ones((2000, 1000), np.float32), 1.0)
    write_star(tmp_path / "mics.star", {"": pd.DataFrame({"rlnMicrographName": ["a.mrc"]})})
    io = {"input_micrographs_for_autopick": "mics.star", "use_laplacian_of_gaussian": True}
    for compute, lanes in (({}, 8), ({"workers": 4}, 8), ({"workers": 4, "threads": 1}, 4)):
        spec = parse_spec({"job": "AutoPick", "io": io, "compute": compute})
        assert expected_gb(spec, tmp_path) == round(BASE_GB + lanes * 25 * 2e6 / 1e9, 1)


def test_step_that_fails_stops_the_chain_and_is_continued(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _chain(project, "middle:metadata_label_for_subset_selection=rlnNoSuchColumn") == 1
    assert "not started, because the previous job did not succeed: Select/last, Select/beside" in (
        capsys.readouterr().err
    )
    assert _chain(project) == 0
    assert _done(capsys)["middle"].startswith(
        "metadata_label_for_subset_selection is rlnParticleSelectZScore"
    )


def test_problems_are_told_before_anything_starts(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "Extract" / "job012" / "particles.star").unlink()
    (project / "Sort" / "job022").mkdir(parents=True)
    assert _chain(project) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 3  # two steps take the same file
    assert any(line.startswith("Sort/job022: exists already") for line in told)
    assert not (project / "Select").exists()


@pytest.mark.parametrize(
    ("name", "note", "why"),
    [
        (
            "Select/job021",
            None,
            "Select/job021: was not made by cryoflow, so it is not replaced; give the step the next",
        ),
        ("Sort/job021", None, "Sort/job021: exists already; add number=-"),
        (
            "Trash/Select/job020",
            None,
            "Trash/Select/job020: was not made by cryoflow, so Select/job020 cannot",
        ),
        (
            "Select/job020",
            "`which relion_star_handler` --i a.star",
            "Select/job020: RELION has run in this directory",
        ),
    ],
)
@pytest.mark.parametrize("options", [[], ["--force"], ["-n", "--force"]])
def test_jobs_of_relion_are_neither_moved_nor_removed(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    note: str | None,
    why: str,
    options: list[str],
) -> None:
    assert _chain(project, "--to", "20") == 0
    directory = project / name
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "particles.star").touch()
    if note:
        (directory / "note.txt").write_text(f" ++++ with the following command(s): \n{note}\n ++++ \n")
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    assert _chain(project, "--to", "21", "20:maximum_metadata_value=0.7", *options) == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith(why)
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def test_a_job_of_another_alias_is_not_replaced(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = select_spec(project.parent / "mine.yaml", 0.1, number=20, alias="mine")
    assert cryoflow(project, "run", mine, "device=cpu") == 0
    assert _chain(project) == 2
    told = (
        "Select/job020: belongs to 'mine', not to Select/first, so it is not replaced; give the step the next"
    )
    assert told in capsys.readouterr().err
    assert kept(project, "Select/mine") == 1
    assert not (project / "Trash").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("chain: x\nsteps: []\n", "steps: expected a list of spec files"),
        ("chain: x\nsteps:\n  - number: 3\n", "step 1: expected a spec file, or 'spec:' with fields"),
        ("chain: x\nstages: []\n", "stages: unknown key; a chain has 'chain' and 'steps'"),
        (
            "chain: x\nsteps:\n  - first.yaml\n  - spec: beside.yaml\n    number: 20\n",
            "two steps are named Select/beside or share its number",
        ),
        (
            "chain: x\nsteps: [first.yaml, first.yaml]\n",
            "two steps are named Select/first or share its number",
        ),
        ("chain: x\nsteps: [{spec: first.yaml, colour: red}]\n", "Select has no field 'colour'"),
        ("chain: x\nsteps: [{spec: first.yaml, number: '-', alias: '-'}]\n", "needs a number or an alias"),
        (
            "chain: x\nsteps:\n  - {spec: first.yaml, OR select from particles.star: Select/last}\n"
            "  - {spec: last.yaml, OR select from particles.star: Select/first}\n",
            "steps feed each other in a cycle: Select/first, Select/last",
        ),
    ],
)
def test_chains_that_do_not_go(
    project: Path, capsys: pytest.CaptureFixture[str], text: str, why: str
) -> None:
    (project.parent / "chain.yaml").write_text(text)
    assert _chain(project) == 2
    assert why in capsys.readouterr().err
    assert not (project / "Select").exists()


def test_chain_without_numbers_goes_by_alias(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join(CHAIN.splitlines()[:-1]).replace("spec: last.yaml", "spec: last.yaml\n    number: '-'")
    (project.parent / "chain.yaml").write_text(text)
    assert _chain(project) == 0
    name = (project / "Select" / "last").readlink().name
    assert _chain(project, "--replace", "last:maximum_metadata_value=0.05") == 3
    assert (project / "Select" / "last").readlink().name == name
    assert kept(project, f"Select/{name}") == 0
    capsys.readouterr()


def test_tutorial() -> None:
    assert is_chain(str(TUTORIAL))
    assert not is_chain(str(TUTORIAL.parent / "tutorial" / "16_class2d_aftersort.yaml"))
    steps = read_chain(str(TUTORIAL), ["12:particle_box_size=300", "threads=1"])
    assert [step.spec.number for step in steps] == list(range(10, 17))
    assert steps[2].spec.extract.particle_box_size == 300  # type: ignore[attr-defined]
    assert {step.spec.compute.threads for step in steps} == {1}


def test_validate(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(TUTORIAL)]) == 0
    assert capsys.readouterr().out.startswith(
        f"{TUTORIAL}: ok, a chain of AutoPick/optimise_params, AutoPick/"
    )
