"""Chains replace finished results only if asked to, keep what they replace, and mend what is incomplete."""

import shutil
import sys
from pathlib import Path

import pytest
from helpers.launch_project import cryoflow, kept, make_project, select_spec
from helpers.particle_project import make_project as make_particle_project

from cryoflow.files.star import read_star
from cryoflow.project.jobs import list_jobs
from cryoflow.project.record import read_record
from cryoflow.project.trash import GENERATIONS

STEPS = ("first", "second")


@pytest.fixture
def project(tmp_path: Path, no_pictures: None) -> Path:
    """Two selections, one from the other, both done."""
    project = make_project(tmp_path / "project")
    select_spec(tmp_path / "first.yaml", 0.8, number=20, alias="first")
    select_spec(tmp_path / "second.yaml", 0.5, "Select/first", number=21, alias="second")
    (tmp_path / "chain.yaml").write_text("chain: two\nsteps: [first.yaml, second.yaml]\n")
    assert _chain(project) == 0
    return project


def _chain(project: Path, *words: str) -> int:
    return cryoflow(project, "run", project.parent / "chain.yaml", "device=cpu", *words)


def _files(project: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes()
        for path in project.rglob("*")
        if path.is_file() and ".cryoflow" not in path.parts
    }


def test_finished_results_are_not_replaced_unasked(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = _files(project)
    capsys.readouterr()
    for options in ([], ["--force"]):
        assert _chain(project, "first:maximum_metadata_value=0.2", *options) == 2
        first, *_, remedy = capsys.readouterr().err.splitlines()
        assert first == (
            "Select/first (Select/job020): would replace finished results: "
            "maximum_metadata_value is 0.2, was 0.8"
        )
        assert remedy.startswith("add --replace")
    assert _files(project) == before


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("", 2), ("n", 2)])
def test_a_person_at_a_terminal_is_asked(
    project: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert _chain(project, "first:maximum_metadata_value=0.2") == code
    assert kept(project, "Select/job020") == (1 if code == 0 else 2)


def test_replaced_results_are_brought_back(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, alias = _files(project / "Select/job020"), (project / "Select/first").readlink()
    assert _chain(project, "--replace", "first:maximum_metadata_value=0.2") == 0
    told = "Select/job020: moved the earlier results to Trash/Select/job020; to bring them back: cryoflow "
    assert f"{told}restore Select/job020 --project {project}" in capsys.readouterr().out
    new = _files(project / "Select/job020")
    assert cryoflow(project, "restore", "Select/first") == 0
    assert _files(project / "Select/job020") == old
    assert (project / "Select/first").readlink() == alias
    trashed = _files(project / "Trash/Select/job020")
    assert {path.name: content for path, content in trashed.items()} == {p.name: c for p, c in new.items()}
    assert cryoflow(project, "restore", "Select/job020") == 0
    assert _files(project / "Select/job020") == new


def test_restoring_what_was_never_replaced(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cryoflow(project, "restore", "Select/job020") == 2
    assert cryoflow(project, "restore", "../Select") == 2
    assert capsys.readouterr().err.splitlines() == [
        "Trash/Select/job020: no such directory; nothing was replaced in Select/job020",
        "../Select: not a job of the project; expected e.g. AutoPick/job010",
    ]


def test_trash_keeps_the_latest_few(project: Path) -> None:
    limits = [0.75, 0.7, 0.65, 0.6, 0.55]
    for most in limits:
        assert _chain(project, "--to", "first", "--replace", f"first:maximum_metadata_value={most}") == 0
    folders = ["job020", *(f"job020.{number}" for number in range(2, GENERATIONS + 1))]
    assert {path.name for path in (project / "Trash/Select").iterdir()} == set(folders)
    trashed = [read_record(project / "Trash/Select" / name)["spec"]["subsets"] for name in folders]
    assert [tab["maximum_metadata_value"] for tab in trashed] == limits[-2 : -2 - GENERATIONS : -1]


def test_jobs_fed_by_a_replaced_one_are_outdated(project: Path) -> None:
    assert [job.state for job in list_jobs(project) if job.record] == ["succeeded"] * 2
    assert _chain(project, "--to", "first", "--replace", "first:maximum_metadata_value=0.2") == 0
    assert [job.state for job in list_jobs(project) if job.record] == ["succeeded", "outdated"]


@pytest.mark.parametrize("size", [0, None])
def test_an_output_that_is_lost_or_emptied_is_made_again(
    project: Path, size: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    table = project / "Select/job020/particles.star"
    before = table.read_bytes()
    if size is None:
        table.unlink()
    else:
        table.write_bytes(b"")
    assert cryoflow(project, "verify", "Select/job020") == 1
    capsys.readouterr()
    assert _chain(project) == 0
    why = "is gone" if size is None else "is empty"
    assert f"Select/first (Select/job020): Select/job020/particles.star {why}" in capsys.readouterr().out
    assert table.read_bytes() == before


PICK = """
job: AutoPick
number: 11
alias: blobs
io:
  input_micrographs_for_autopick: CtfFind/job003/micrographs_ctf.star
  use_laplacian_of_gaussian: yes
  pixel_size_in_micrographs: 2.0
laplacian:
  Min. diameter for LoG filter (A): 12
  Max. diameter for LoG filter (A): 24
"""
EXTRACT = """
job: Extract
number: 12
io:
  micrograph_star_file: CtfFind/job003/micrographs_ctf.star
  input_coordinates: AutoPick/blobs
extract:
  particle_box_size: 16
"""


@pytest.mark.parametrize("broken", ["missing", "truncated"])
def test_a_partial_chain_is_mended_by_the_same_command(
    tmp_path: Path, no_pictures: None, capsys: pytest.CaptureFixture[str], broken: str
) -> None:
    project = make_particle_project(tmp_path / "project")
    for text, name in ((PICK, "pick"), (EXTRACT, "extract")):
        (tmp_path / f"{name}.yaml").write_text(text)
    select = select_spec(tmp_path / "select.yaml", 10**6, "Extract/job012", number=14, alias="all")
    select.write_text(select.read_text().replace("rlnParticleSelectZScore", "rlnCoordinateX"))
    (tmp_path / "chain.yaml").write_text("chain: c\nsteps: [pick.yaml, extract.yaml, select.yaml]\n")
    micrograph = project / "MotionCorr/job002/Movies/mic2.mrc"
    whole = micrograph.read_bytes()
    if broken == "truncated":
        micrograph.write_bytes(whole[:2000])
    else:
        micrograph.unlink()
    shutil.rmtree(project / "AutoPick/job011")
    for _ in range(2):
        assert _chain(project) == 2
        assert _micrographs(project) == {"mic1.mrc", "mic3.mrc"}
    coordinates = project / "AutoPick/job011/Movies/mic1_autopick.star"
    before = coordinates.stat().st_mtime_ns
    micrograph.write_bytes(whole)
    capsys.readouterr()
    assert _chain(project) == 0
    out = capsys.readouterr().out
    assert "mic2.mrc is there now or has changed since it failed" in out
    assert _micrographs(project) == {"mic1.mrc", "mic2.mrc", "mic3.mrc"}
    assert coordinates.stat().st_mtime_ns == before
    assert {job.state for job in list_jobs(project) if job.record} == {"succeeded"}
    assert _chain(project) == 0
    assert "has changed" not in capsys.readouterr().out


def _micrographs(project: Path) -> set[str]:
    table = read_star(project / "Select/job014/particles.star")[""]
    return {Path(name).name for name in table["rlnMicrographName"]}  # type: ignore[index]


def test_lost_pictures_are_drawn_again(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def draw(job: str, directory: Path, _: Path) -> list[Path]:
        (directory / "a.png").write_text(job)
        return [directory / "a.png"]

    monkeypatch.setattr("cryoflow.jobs.registry.draw_pictures", draw)
    for told in (True, False):
        capsys.readouterr()
        assert _chain(project) == 0
        assert ("Select/job020: drew 1 lost pictures again" in capsys.readouterr().out) == told
    assert (project / "Select/job021/a.png").exists()


def test_a_resumed_job_removes_what_a_killed_one_left(project: Path) -> None:
    directory = project / "Select/job020"
    left = directory / "Movies/.particles.0123abcd.star"
    left.parent.mkdir()
    left.touch()
    kept_files = [directory / name for name in (".mine", ".x.star", "a.0123abcd.star")]
    for path in kept_files:
        path.touch()
    assert cryoflow(project, "run", "--continue", "Select/job020", "device=cpu") == 0
    assert not left.exists() and all(path.exists() for path in kept_files)
