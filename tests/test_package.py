"""The wheel, installed where there is no clone: all that the commands read comes with it."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.launch_project import sweep_rows
from helpers.small_project import SMALL, VALUES

from cryoflow.simulate.project import simulate_project

CLONE = Path(__file__).parents[1]

SMALL_DEMO = """
import sys
from dataclasses import replace
from cryoflow import demo
from cryoflow.cli import main
smaller = dict(micrographs=3, selected=3, size=(640, 600), particles=8, broken=0, model="ring", diameter=170)
demo.OPTIONS, demo.CLASSES = replace(demo.OPTIONS, snr=0.2, carbon=0.0, **smaller), 4
sys.exit(main(["demo"]))
"""

BUILD_SDIST = "import setuptools.build_meta as backend; backend.build_sdist('dist')"

pytestmark = pytest.mark.slow


def call(*command: object, folder: Path, code: int = 0) -> str:
    """Run a command in a folder, away from this clone, and return what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def build_wheel(source: Path, folder: Path) -> Path:
    """Build a wheel of a folder or an sdist, with the setuptools that is installed here."""
    arguments = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source)
    call(sys.executable, "-m", "pip", *arguments, folder=source.parent)
    return next(folder.glob("cryoflow-*.whl"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the clone: without what earlier builds and an editable installation leave in it."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CLONE / name, source)
    for name in ("cryoflow", "specs"):
        shutil.copytree(
            CLONE / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    return source


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the clone."""
    return build_wheel(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def bin_folder(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """``bin`` of an environment with cryoflow from the wheel; all else is that of the tests."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    call(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", wheel, folder=folder)
    lib = next(folder.glob("lib/python*/site-packages"))
    (lib / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    yield folder / "bin"


def test_the_wheel_holds_the_specs_of_the_clone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        data = {name for name in archive.namelist() if name.startswith("cryoflow/data/")}
        held = {name.removeprefix("cryoflow/data/"): archive.read(name) for name in data}
        assert "cryoflow/py.typed" in archive.namelist()
    specs = CLONE / "specs"
    assert held == {str(path.relative_to(specs)): path.read_bytes() for path in specs.rglob("*.yaml")}


def test_the_sdist_makes_the_same_wheel(source: Path, wheel: Path, tmp_path: Path) -> None:
    call(sys.executable, "-c", BUILD_SDIST, folder=source)
    other = build_wheel(next(source.glob("dist/*.tar.gz")), tmp_path)
    names = [sorted(zipfile.ZipFile(path).namelist()) for path in (wheel, other)]
    assert names[0] == names[1]


def test_cryoflow_is_that_of_the_wheel(bin_folder: Path, tmp_path: Path) -> None:
    shown = call(bin_folder / "python", "-c", "import cryoflow; print(cryoflow.__file__)", folder=tmp_path)
    assert Path(shown.strip()).is_relative_to(bin_folder.parent)


def test_the_demo_runs(bin_folder: Path, tmp_path: Path) -> None:
    shown = call(bin_folder / "python", "-c", SMALL_DEMO, folder=tmp_path)
    assert "step 16, in the chosen classes" in shown
    assert (tmp_path / "demo-project" / "demo.png").is_file()


def test_copied_specs_run_as_a_chain_and_as_a_sweep(bin_folder: Path, tmp_path: Path) -> None:
    cryoflow, project = bin_folder / "cryoflow", tmp_path / "project"
    simulate_project(project, SMALL)
    call(cryoflow, "spec", "tutorial", "mine", folder=project)
    call(cryoflow, "run", "mine/tutorial.yaml", *VALUES, folder=project)
    assert (project / "Select" / "job016" / "particles.star").is_file()
    values = [value for value in VALUES if value.startswith(("device", "threads", "lowpass"))]
    sweep = ("--multirun", "number=-", "picking_threshold=0.2,0.9", *values)
    call(cryoflow, "run", "mine/tutorial/11_template_based.yaml", *sweep, folder=project)
    counts = [int(row["particles"]) for row in sweep_rows(project)]
    assert counts[0] > counts[1] and len(counts) == 2
