"""Stacks that a resumed job keeps."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.particle_project import (
    context,
    extract_spec,
)

from cryoflow.files.mrc import read_header, read_stack
from cryoflow.jobs.extract.run import run


def test_continuing_keeps_what_is_finished(project: Path) -> None:
    job = context(project, "Extract/job012")
    run(extract_spec(), job)
    before = (job.directory / "particles.star").read_bytes()
    stack = job.directory / "Movies/mic1.mrcs"
    changed = read_stack(stack)
    stack.write_bytes(stack.read_bytes()[:1024] + (changed * 0).tobytes())
    (job.directory / "Movies/mic2.mrcs").unlink()
    (job.directory / "particles.star").unlink()
    again = context(project, "Extract/job012", continuing=True)
    result = run(extract_spec(), again)
    assert result.counts["kept_micrographs"] == 2
    assert not read_stack(stack).any() and (job.directory / "Movies/mic2.mrcs").exists()
    assert (job.directory / "particles.star").read_bytes() == before
    result = run(extract_spec(tab={"particle_box_size": 20}), again)
    assert result.counts["kept_micrographs"] == 0 and read_header(stack).nx == 20


KILLED = """
import os, signal, sys
from pathlib import Path
from helpers.particle_project import context, extract_spec
from cryoflow.jobs.extract import stack
from cryoflow.jobs.extract.run import run

write, tables = stack.write_table, []

def die_at_the_second(*arguments):
    tables.append(arguments)
    if len(tables) == 2:  # its stack is there, its table is not
        os.kill(os.getpid(), signal.SIGKILL)
    write(*arguments)

stack.write_table = die_at_the_second
run(extract_spec(), context(Path(sys.argv[1]), "Extract/job012"))
"""


def test_a_killed_run_goes_on_at_the_next_micrograph(project: Path) -> None:
    run(extract_spec(), context(project, "Extract/job001"))
    paths = {"PYTHONPATH": os.pathsep.join((*sys.path, str(Path(__file__).parents[2])))}
    dead = subprocess.run([sys.executable, "-c", KILLED, str(project)], env={**os.environ, **paths})
    assert dead.returncode == -signal.SIGKILL
    job = project / "Extract/job012"
    first = job / "Movies/mic1.mrcs"
    before = first.stat()
    assert not (job / "particles.star").exists() and not (job / "Movies/mic2_extract.star").exists()
    result = run(extract_spec(), context(project, "Extract/job012", continuing=True))
    assert result.counts["kept_micrographs"] == 1 and result.counts["particles"] == 15
    assert first.stat().st_mtime_ns == before.st_mtime_ns and first.stat().st_ino == before.st_ino
    for name in ("mic1.mrcs", "mic2.mrcs", "mic3.mrcs"):
        whole = (project / "Extract/job001/Movies" / name).read_bytes()
        assert (job / "Movies" / name).read_bytes() == whole
    tables = [(project / f"Extract/{name}/particles.star").read_text() for name in ("job001", "job012")]
    assert tables[1].replace("job012", "job001") == tables[0]


@pytest.mark.parametrize("tab", [{"invert_contrast": False}, {"diameter_background_circle": 16}])
def test_continuing_with_other_settings_makes_the_stacks_anew(project: Path, tab: dict[str, Any]) -> None:
    run(extract_spec(), context(project, "Extract/job012"))
    result = run(extract_spec(tab=tab), context(project, "Extract/job012", continuing=True))
    assert result.counts["kept_micrographs"] == 0
    run(extract_spec(tab=tab), context(project, "Extract/job013"))
    stacks = [project / f"Extract/{job}/Movies/mic1.mrcs" for job in ("job012", "job013")]
    assert stacks[0].read_bytes() == stacks[1].read_bytes()
