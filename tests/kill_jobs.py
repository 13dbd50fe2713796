"""Kill jobs at random moments, give the same command again, and compare with runs that were left alone.

python tests/kill_jobs.py [--kills 20] [--seed 1] [--micrographs 6]

For every step of the tutorial on a small simulated project: run it anew over its finished directory, which
so goes to the trash, kill it (SIGKILL), start it again, and so on; then let it finish. Half of the kills come
after a random part of the time that the step takes, half just before a random one of its changes to folders
and names of files: while it moves the old directory away or puts new files into place. The outputs must be
the same bytes as without the kills, what was finished before a kill must not be made again, and after each
kill the results from before are still whole, in place or in the trash, unless new ones are.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from helpers.small_project import SMALL, VALUES

from cryoflow.cli import main as cryoflow
from cryoflow.files.job_paths import below_job
from cryoflow.jobs.registry import JOB_TYPES, runner
from cryoflow.project.names import TRASH
from cryoflow.project.record import read_record
from cryoflow.simulate.project import simulate_project

SPECS = Path(__file__).parents[1] / "specs" / "tutorial.yaml"

STEPS = {10: "AutoPick", 11: "AutoPick", 12: "Extract", 13: "Sort", 14: "Select", 15: "Class2D", 16: "Select"}


Entry: TypeAlias = dict[str, object]

#: What changes folders and names of files, all of which goes through these.
CHANGES = ("mkdir", "rename", "replace", "rmdir", "symlink", "unlink")


class Kills(NamedTuple):
    """What happened to one step."""

    by_time: int
    by_change: int
    remade: int
    different: int
    lost: int


def in_child(arguments: Sequence[str], seconds: float | None = None, change: int | None = None) -> int | None:
    """Run a command in a child that has everything imported; kill it after so many seconds or at a change.

    Returns
    -------
    int or None
        Exit code, or None if it was killed.
    """
    child = os.fork()
    if child == 0:
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
        code = 1
        try:
            if change is not None:
                die_at(change)
            code = cryoflow(arguments)
        finally:
            os._exit(code)
    end = None if seconds is None else time.monotonic() + seconds
    while True:
        found, status = os.waitpid(child, os.WNOHANG if end is not None else 0)
        if found:
            code = os.waitstatus_to_exitcode(status)
            return None if code == -signal.SIGKILL else code
        if end is not None and time.monotonic() >= end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        time.sleep(0.002)


def die_at(change: int) -> None:
    """Let this process kill itself once it has made so many changes to folders and names of files."""
    done = count()

    def deadly(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            if next(done) == change:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*given, **named)

        return call

    for name in CHANGES:
        setattr(os, name, deadly(getattr(os, name)))


def step_command(project: Path, step: int, anew: bool = False) -> list[str]:
    """Return the command that runs one step of the chain, even if it is up to date when it is to run anew."""
    where = ["--project", str(project), "--from", str(step), "--to", str(step)]
    return ["run", str(SPECS), *where, *VALUES, "--replace", *(["--force"] if anew else [])]


def times_of(directory: Path) -> dict[Path, int]:
    """Return when each file of one micrograph or one iteration was made."""
    files = [*directory.glob("Micrographs/*"), *directory.glob("run_it*")]
    shown = [path for path in files if not path.name.startswith(".")]
    return {path: path.stat().st_mtime_ns for path in shown}


def kill_step(project: Path, step: int, alone: float, kills: int, chance: random.Random) -> Kills:
    """Kill one step so many times, letting it finish where it does, and compare with the one left alone."""
    name = f"{STEPS[step]}/job{step:03d}"
    expected = read_record(project / name)["outputs"]
    done = {"time": 0, "change": 0}
    remade = different = lost = 0
    finished = True
    while sum(done.values()) < kills or not finished:
        before = {} if finished else times_of(project / name)
        way = "time" if done["time"] <= done["change"] else "change"
        limit: dict[str, Any] = {}
        if sum(done.values()) < kills:
            limit = _limit(way, alone, expected, chance)
        code = in_child(step_command(project, step, anew=finished), **limit)
        moved = project / TRASH / name
        remade += _remade(before, times_of(project / name))
        finished = code is not None
        done[way] += not finished
        if finished:
            different += _different(expected, project / name) + (code or 0)
        else:
            lost += not (_whole(expected, project / name) or _whole(expected, moved))
    return Kills(done["time"], done["change"], remade, different, lost)


def _limit(way: str, alone: float, expected: list[Entry], chance: random.Random) -> dict[str, Any]:
    """Return when to kill; a step has two or three changes for each output, and some dozens besides."""
    if way == "time":
        return {"seconds": chance.uniform(0, 1.1 * alone)}
    return {"change": chance.randrange(40 + 3 * len(expected))}


def _whole(expected: list[Entry], directory: Path) -> bool:
    """Return whether a directory has all outputs, byte for byte."""
    paths = [(directory / below_job(str(entry["path"])), entry["sha256"]) for entry in expected]
    return all(p.exists() and hashlib.sha256(p.read_bytes()).hexdigest() == digest for p, digest in paths)


def _different(expected: list[Entry], directory: Path) -> int:
    found = {entry["path"]: entry["sha256"] for entry in read_record(directory)["outputs"]}
    wanted = {entry["path"]: entry["sha256"] for entry in expected}
    names = [name for name in wanted | found if wanted.get(name) != found.get(name)]
    for name in names:
        sys.stderr.write(f"{name} is different\n")
    return len(names)


def _remade(before: dict[Path, int], after: dict[Path, int]) -> int:
    """Count micrographs or iterations that were made again; the one at which the kill struck may be."""
    again = {path.name[:9] for path, when in before.items() if after.get(path, when) != when}
    return max(0, len(again) - 1)


def main() -> int:
    """Kill every step; 0 if nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="kills of each step (20)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (1)")
    parser.add_argument("--micrographs", type=int, default=6, help="micrographs to simulate (6)")
    given = parser.parse_args()
    for job in JOB_TYPES:
        runner(job)
    chance = random.Random(given.seed)
    kills = losses = 0
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        simulate_project(
            project, replace(SMALL, micrographs=given.micrographs, selected=given.micrographs // 2)
        )
        for step, job in STEPS.items():
            start = time.monotonic()
            if in_child(step_command(project, step)):
                sys.stderr.write(f"{job}/job{step:03d} failed without any kill\n")
                return 1
            alone = time.monotonic() - start
            found = kill_step(project, step, alone, given.kills, chance)
            kills += found.by_time + found.by_change
            losses += found.remade + found.different + found.lost
            moments = f"{found.by_time} kills in {alone:.2f} s of work, {found.by_change} at changes of files"
            told = f"{found.remade} made again, {found.different} different, {found.lost} lost"
            sys.stdout.write(f"{job}/job{step:03d}: {moments}: {told}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{kills} kills, {losses} losses\n")
    return int(bool(losses))


if __name__ == "__main__":
    sys.exit(main())
