"""The examples run as they stand, and draw their figure."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pick_and_look", "score_and_classify"])
def test_an_example_runs_and_draws_its_figure(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", EXAMPLES / f"{name}.py", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / f"{name}.png") as figure:
        assert min(figure.size) > 300
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.png"]


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {"pick_and_look", "score_and_classify"}
