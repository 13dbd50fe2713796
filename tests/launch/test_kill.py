"""Jobs that are killed and resumed; ``tests/kill_jobs.py`` by itself does it more often."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "kill_jobs.py"


@pytest.mark.slow
def test_nothing_is_lost_or_made_again() -> None:
    command = [sys.executable, str(SCRIPT), "--kills", "2", "--micrographs", "3"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPT.parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 8
    told = "1 at changes of files: 0 made again, 0 different, 0 lost"
    assert all(": 1 kills " in line and line.endswith(told) for line in lines[:-1])
    assert lines[-1] == "14 kills, 0 losses"
