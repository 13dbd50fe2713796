"""The command line: exit codes, one clear line for every mistake, and a quick start."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cryoflow import __version__, cli
from cryoflow.cli import main
from cryoflow.spec import SPEC_CLASSES

TUTORIAL = Path(__file__).parents[2] / "specs" / "tutorial"
HEAVY = ("torch", "scipy", "pandas", "numpy", "hydra", "mrcfile", "starfile", "matplotlib", "PIL")
OF_SPECS = ("pydantic", "yaml", "rich")

SPEC = """
job: AutoPick
io:
  input_micrographs_for_autopick: CtfFind/job003/micrographs_ctf.star
  reference_2d: Select/job009/class_averages.star
autopicking:
  {}
"""


def _spec(folder: Path, line: str) -> str:
    path = folder / "pick.yaml"
    path.write_text(SPEC.format(line))
    return str(path)


def _loaded(code: str, modules: tuple[str, ...]) -> list[str]:
    """Those of the modules that a fresh Python has loaded after running some code."""
    shown = f"import sys\n{code}\nprint(*(set({modules!r}) & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    return sorted(done.stderr.split())


def _called(*arguments: str) -> str:
    """Code that calls the command line, which must succeed."""
    return f"""
from cryoflow.cli import main
try:
    code = main({arguments!r})
except SystemExit as stop:
    code = stop.code
assert code == 0, code"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--help"],
        ["simulate", "--help"],
        ["fields", "--help"],
        ["fields", "Extract"],
        ["validate", *map(str, TUTORIAL.glob("*"))],
    ],
)
def test_quick_commands_import_nothing_heavy(arguments: list[str]) -> None:
    assert _loaded(_called(*arguments), HEAVY) == []


@pytest.mark.parametrize("code", ["import cryoflow", _called("--help"), _called("--version")])
def test_import_and_help_load_nothing_but_python(code: str) -> None:
    assert _loaded(code, (*HEAVY, *OF_SPECS)) == []


def test_start_takes_less_than_half_a_second() -> None:
    command = [sys.executable, "-m", "cryoflow", "validate", *map(str, sorted(TUTORIAL.glob("*.yaml")))]
    spent = []
    for _ in range(3):
        before = os.times()
        subprocess.run(command, check=True, capture_output=True)
        after = os.times()
        spent.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    assert min(spent) < 0.5  # processor time: the clock on the wall depends on the neighbours


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"cryoflow {__version__}\n"


def test_validate_tells_all_problems_of_all_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = _spec(tmp_path, "Picking treshold: 0.8\n  shrink_factor: 7\n  write_fom_maps: perhaps")
    good = str(TUTORIAL / "11_template_based.yaml")
    assert main(["validate", bad, good, str(tmp_path / "absent.yaml")]) == 2
    shown = capsys.readouterr()
    assert shown.out == f"{good}: ok, AutoPick\n"
    lines = shown.err.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith(
        f"{bad}:7: autopicking > Picking treshold: unknown field; did you mean 'Picking thr"
    )
    assert lines[1].startswith(f"{bad}:8: autopicking > shrink_factor: ")
    assert lines[2].startswith(f"{bad}:9: autopicking > write_fom_maps: ")
    assert lines[3].startswith(f"{tmp_path}/absent.yaml: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pick.yaml"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["picking_treshold=0.5"],
            "AutoPick has no field 'picking_treshold'; did you mean 'picking_threshold'?",
        ),
        (["Picking threshold=much"], "'much' is not a number"),
        (["shrink_factor=7"], "shrink_factor: "),
        (["picking_threshold=0.1,0.2"], "several values; add --multirun for one job each, or write"),
        (["--continue", "AutoPick/job077"], "no such job directory"),
        (["--multirun", "--launcher", "pigeon"], "no such launcher; use joblib, local, slurm"),
        (["--project", "/nowhere/at/all"], "/nowhere/at/all: no such project directory"),
    ],
)
def test_run_refuses_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    project = [] if "--project" in arguments else ["--project", str(tmp_path)]
    assert main(["run", _spec(tmp_path, "picking_threshold: 0.8"), *project, *arguments]) == 2
    shown = capsys.readouterr()
    assert told in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pick.yaml"]


def test_every_missing_input_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", _spec(tmp_path, "picking_threshold: 0.8"), "--project", str(tmp_path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    names = ("CtfFind/job003/micrographs_ctf.star", "Select/job009/class_averages.star")
    assert [line.partition(": no such file in the project")[0] for line in lines] == list(names)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pick.yaml"]


def test_run_without_a_spec(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "picking_threshold=0.5"]) == 2
    assert capsys.readouterr().err.startswith("cryoflow run: no spec given")


def test_words_may_stand_on_both_sides_of_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr("cryoflow.launch.run.run_specs", lambda *given: seen.append(given) or 0)
    arguments = ["run", "a.yaml", "x=-1", "--project", str(tmp_path), "b.yaml", "Some label=2,3", "-m"]
    assert main(arguments) == 0
    paths, overrides, options = seen[0]
    assert (paths, overrides) == (["a.yaml", "b.yaml"], ["x=-1", "Some label=2,3"])
    assert (options.project, options.multirun, options.launcher) == (tmp_path, True, "local")
    assert options.command == f"cryoflow run a.yaml x=-1 --project {tmp_path} b.yaml 'Some label=2,3' -m"


def test_unknown_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["run", "a.yaml", "--projet", "x"])
    assert "unrecognized arguments: --projet x" in capsys.readouterr().err


def test_fields_lists_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fields"]) == 0
    shown = capsys.readouterr().out
    for job, cls in SPEC_CLASSES.items():
        assert f"{job} > " in shown
        for section in cls.sections().values():
            for name in section.declarations():
                assert name in shown


@pytest.mark.parametrize("job", list(SPEC_CLASSES))
def test_schema(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", job.lower()]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == job


@pytest.mark.parametrize(
    ("name", "hint"), [("Soort", "did you mean 'Sort'?"), ("Pigeon", "job types: AutoPick, ")]
)
def test_unknown_job_type(name: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", name]) == 2
    assert capsys.readouterr().err.startswith(f"unknown job type '{name}'; {hint}")


def test_mistakes_of_ours_are_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cryoflow.spec.describe.json_schema", lambda job: 1 / 0)
    assert main(["schema", "Sort"]) == 1
    assert capsys.readouterr().err.startswith("cryoflow failed: ZeroDivisionError: division by zero; ")
    monkeypatch.setenv("CRYOFLOW_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        main(["schema", "Sort"])


def test_simulate_makes_a_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "small"
    options = (
        "--micrographs 1 --selected 1 --size 400 420 --pixel-size 5 --particles 3 --broken 0 --contaminants 0"
    )
    assert main(["simulate", str(target), *options.split(), "--hot-pixels", "0"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{target}/"
    assert (target / "CtfFind" / "job003" / "micrographs_ctf.star").is_file()
    assert main(["simulate", str(target), *options.split()]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_reader_that_goes_away_is_no_mistake() -> None:
    code = f"{sys.executable} -m cryoflow fields | head -1"  # head has the last word, and closes the pipe
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_main_is_the_console_script() -> None:
    assert cli.main is main
