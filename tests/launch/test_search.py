"""Searches: a sweeper chooses the points by the objective that the spec names."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from helpers.launch_project import cryoflow, one_selection, sweep_rows

from cryoflow.launch.sweep.folder import read_sweep

ROOT = Path(__file__).parents[2]

SWEEPER = """
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper

WORDS = {"_target_": f"{__name__}.Ends", "direction": "minimize", "sampler": {"seed": None}}
ConfigStore.instance().store("ends", WORDS, group="hydra/sweeper", provider="test")


class Ends(Sweeper):
    '''Tries the low end, one that fails, and the high end; writes what it was told.'''

    def __init__(self, direction, sampler):
        self.direction, self.seed = direction, sampler.seed

    def setup(self, *, hydra_context, task_function, config):
        self.launcher = Plugins.instance().instantiate_launcher(
            config=config, hydra_context=hydra_context, task_function=task_function
        )

    def sweep(self, arguments):
        told = [self.direction, self.seed]
        name = next(word for word in arguments if "interval" in word).partition("=")[0]
        rest = [word for word in arguments if "interval" not in word]
        for number, value in enumerate((0.2, "many", 0.95)):
            done = self.launcher.launch([(f"{name}={value}", *rest)], initial_job_idx=number)
            try:
                told.append(done[0].return_value)
            except Exception:
                told.append("failed")
        print("TOLD", *told)
"""


project = one_selection


def _search(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run in another process: Hydra looks for its plugins once."""
    command = [sys.executable, "-m", "cryoflow", "run", "../spec.yaml", "device=cpu", "--multirun", *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(project.parent)])}
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, env=environment)


def test_sweeper_is_told_the_objective_and_points_that_fail(project: Path) -> None:
    plugin = project.parent / "hydra_plugins" / "hydra_ends_sweeper"
    plugin.mkdir(parents=True)
    (plugin / "__init__.py").write_text(SWEEPER)
    words = ("hydra/sweeper=ends", "maximum_metadata_value=interval(0.0,1.0)", "seed=7")
    done = _search(project, *words, "objective=particles")
    assert "TOLD maximize 7 1.0 failed 3.0" in done.stdout, done.stderr
    assert "best particles: maximum_metadata_value=0.95 (Select/job101, particles 3)" in done.stdout
    assert done.returncode == 2  # the point that was refused
    rows = sweep_rows(project)
    assert [row["maximum_metadata_value"] for row in rows] == ["0.2", "many", "0.95"]
    assert [row["job"] for row in rows] == ["Select/job100", "none", "Select/job101"]
    record = read_sweep(project / "Sweep" / "sweep001")
    assert (record["best"], record["status"]) == ("Select/job101", "ended")
    assert "subsets.maximum_metadata_value=0.2" in record["points"][0]
    done = _search(project, *words, "objective=-beauty")
    assert "no point will have a column 'beauty'; available: particles, seconds" in done.stderr
    assert (done.returncode, done.stdout.count("Select in Select/")) == (2, 0)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("optuna") is None, reason="hydra-optuna-sweeper is not installed")
def test_optuna_finds_the_best(project: Path) -> None:
    words = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=12", "objective=-particles")
    done = _search(project, *words, "maximum_metadata_value=interval(0.0,1.0)")
    assert done.returncode == 0, done.stderr
    rows = sweep_rows(project)
    assert len(rows) == 12
    best = next(row for row in rows if row["job"] == read_sweep(project / "Sweep" / "sweep001")["best"])
    assert best["particles"] == min(row["particles"] for row in rows)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("hydra/sweeper=magpie", "--multirun"), "not installed; run 'pip install hydra-magpie-sweeper'"),
        (("hydra/launcher=basic",), "Hydra's settings apply to sweeps; add --multirun"),
        (("hydra/launcher=basic", "--multirun", "--launcher", "joblib"), "use only one of them"),
        (("maximum_metadata_value=interval(0,1)", "--multirun"), "only a search takes an interval"),
    ],
)
def test_words_that_do_not_go(
    project: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], why: str
) -> None:
    assert cryoflow(project, "run", project.parent / "spec.yaml", *words) == 2
    assert why in capsys.readouterr().err
    assert not (project / "Sweep").exists()


def test_search_without_objective(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cryoflow.launch.launchers.find_spec", lambda _: True)
    words = ("hydra/sweeper=optuna", "--multirun", "maximum_metadata_value=interval(0,1)")
    assert cryoflow(project, "run", project.parent / "spec.yaml", *words) == 2
    assert "needs an objective, a column of the sweep's table: objective=f1" in capsys.readouterr().err


def test_dry_run_of_a_search(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cryoflow.launch.launchers.find_spec", lambda _: True)
    words = (
        "-n",
        "hydra/sweeper=optuna",
        "--multirun",
        "objective=f1",
        "maximum_metadata_value=interval(0,1)",
    )
    assert cryoflow(project, "run", project.parent / "spec.yaml", *words) == 0
    assert "Select would run once per trial of the search" in capsys.readouterr().out
    assert not (project / "Select").exists()


def test_sweep_of_given_points_names_the_best(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--multirun", "objective=-particles", "maximum_metadata_value=0.5,0.2,1")
    assert cryoflow(project, "run", project.parent / "spec.yaml", "device=cpu", *words) == 0
    assert (
        "best -particles: maximum_metadata_value=0.2 (Select/job101, particles 1)" in capsys.readouterr().out
    )
    assert read_sweep(project / "Sweep" / "sweep001")["best"] == "Select/job101"


def test_hydras_own_launcher(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (
        "--multirun",
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=1",
        "maximum_metadata_value=0.5,0.2",
    )
    assert cryoflow(project, "run", project.parent / "spec.yaml", "device=cpu", *words) == 0
    assert [row["particles"] for row in sweep_rows(project)] == ["2", "1"]
