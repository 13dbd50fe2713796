"""What a job has read is in its record; whatever of it changes, nothing calls the job up to date."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.launch_project import cryoflow
from helpers.small_project import SMALL, VALUES

from cryoflow.launch.previous_runs import step_status
from cryoflow.project.jobs import list_jobs
from cryoflow.project.record import read_record
from cryoflow.simulate.project import simulate_project
from cryoflow.spec import parse_spec

pytestmark = pytest.mark.slow
SPECS = Path(__file__).parents[2] / "specs" / "tutorial.yaml"
JOBS = {
    10: "AutoPick/job010", 11: "AutoPick/job011", 12: "Extract/job012", 13: "Sort/job013",
    14: "Select/job014", 15: "Class2D/job015", 16: "Select/job016",
}  # fmt: skip
OPENED: list[str] | None = None


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and OPENED is not None and isinstance(arguments[0], str | bytes):
        OPENED.append(os.fsdecode(arguments[0]))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, set[str]]]]:
    """A project with all steps done, and what each job has opened of others, as the interpreter tells."""
    global OPENED
    project = tmp_path_factory.mktemp("finished") / "project"
    simulate_project(project, SMALL)
    sys.addaudithook(_listen)
    opened: dict[str, set[str]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cryoflow.jobs.registry.draw_pictures", lambda *_: [])
        for step, job in JOBS.items():
            OPENED = []
            where = ("--from", step, "--to", step)
            assert cryoflow(project, "run", SPECS, *where, *VALUES, "13:learnt_scores=yes") in (0, 2)
            inside = {Path(name).relative_to(project) for name in OPENED if name.startswith(f"{project}/")}
            OPENED = None
            opened[job] = {
                path.as_posix()
                for path in inside
                if path.suffix in {".star", ".mrc", ".mrcs", ".txt", ".json"}
                and not path.is_relative_to(job)
                and path.parts[0] != ".cryoflow"
                and path.name != "default_pipeline.star"
            }
    yield project, opened


@pytest.mark.parametrize("job", JOBS.values())
def test_every_file_that_a_job_opens_is_an_input_of_record(
    finished: tuple[Path, dict[str, set[str]]], job: str
) -> None:
    project, opened = finished
    recorded = {entry["path"] for entry in read_record(project / job)["inputs"]}
    assert opened[job]
    assert opened[job] <= recorded


@pytest.mark.parametrize("job", JOBS.values())
@pytest.mark.parametrize("change", ["bytes", "truncated", "removed"])
def test_a_changed_input_is_seen_by_chain_verify_and_status(
    finished: tuple[Path, dict[str, set[str]]],
    job: str,
    change: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project, _ = finished
    record = read_record(project / job)
    assert _answers(project, job, record, capsys) == ("skip", 0, True)
    for entry in record["inputs"]:
        if entry["sha256"] is None:
            continue
        path, saved = project / entry["path"], tmp_path / "saved"
        shutil.move(path, saved)
        _change(saved, path, change)
        action, code, ended = _answers(project, job, record, capsys)
        path.unlink(missing_ok=True)
        shutil.move(saved, path)
        assert action != "skip" and code == 1 and not ended, entry["path"]


def _answers(
    project: Path, job: str, record: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> tuple[str, int, bool]:
    """What the chain would do, the exit code of ``verify``, and whether ``status`` says that it has ended."""
    spec = parse_spec(record["spec"])  # type: ignore[arg-type]
    state = next(found.state for found in list_jobs(project) if found.name == job)
    code = cryoflow(project, "verify", job)
    capsys.readouterr()
    return step_status(project, spec, job).action, code, state in {"succeeded", "partial"}


def _change(old: Path, new: Path, change: str) -> None:
    content = old.read_bytes()
    if change == "bytes":
        new.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif change == "truncated":
        new.write_bytes(content[: len(content) // 2])
