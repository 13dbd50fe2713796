"""One process a job directory."""

import subprocess
import sys
from pathlib import Path
from threading import Event, Thread

import pytest

from cryoflow.errors import CryoflowError
from cryoflow.project.lock import alone, holding, is_running

_HOLD = """
import sys
from pathlib import Path
from cryoflow.project.lock import holding
with holding(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_lock_of_another_process_and_its_end(tmp_path: Path) -> None:
    directory = tmp_path / "Sort" / "job013"
    directory.mkdir(parents=True)
    assert not is_running(directory)
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert is_running(directory)
        with (
            pytest.raises(CryoflowError, match=r"^Sort/job013: another process is running"),
            holding(directory),
        ):
            pass
        holder.kill()
    assert not is_running(directory)
    with holding(directory):
        assert is_running(directory)


def test_whoever_comes_second_waits_for_the_first(tmp_path: Path) -> None:
    entered = Event()

    def second() -> None:
        with alone(tmp_path / "map.mrc"):
            entered.set()

    thread = Thread(target=second)
    with alone(tmp_path / "map.mrc"):
        thread.start()
        assert not entered.wait(0.3)
    assert entered.wait(30)
    thread.join()
