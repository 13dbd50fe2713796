"""Kill jobs at random moments, give the same command again, and compare with runs that were left alone.

python scripts/kill_test.py [--kills 20] [--seed 1] [--micrographs 6]

For every step of the tutorial on a small simulated project: start it, kill it (SIGKILL) after a random part
of the time that it takes, start it again, and so on; then let it finish. Its outputs must be the same bytes
as without the kills, and what was finished before a kill must not be made again.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryoflow.cli import main as cryoflow
from cryoflow.jobs import RUNNERS, runner
from cryoflow.project.record import read_record
from cryoflow.simulate.options import SimulateOptions
from cryoflow.simulate.project import simulate_project

SPECS = Path(__file__).parents[1] / "specs" / "tutorial.yaml"

STEPS = {11: "AutoPick", 12: "Extract", 13: "Sort", 14: "Select", 15: "Class2D", 16: "Select"}

VALUES = (
    "device=cpu",
    "threads=1",
    "lowpass_filter_references=30",
    "11:picking_threshold=0.2",
    "particle_box_size=64",
    "re_scaled_size=32",
    "diameter_background_circle=48",
    "number_of_classes=2",
    "number_of_iterations=4",
    "16:selection.classes.top=1",
)


class Kills(NamedTuple):
    """What happened to one step."""

    kills: int
    remade: int
    different: int


def options(micrographs: int) -> SimulateOptions:
    """A project whose steps take a second or two."""
    return SimulateOptions(
        micrographs=micrographs,
        selected=1,
        size=(340, 300),
        particles=6,
        broken=0,
        contaminants=1,
        model="barrel",
        diameter=160.0,
        distance=215.0,
        snr=0.1,
        carbon=0.0,
        seed=3,
        pixel_size=3.54,
    )


def in_child(arguments: Sequence[str], seconds: float | None = None) -> int | None:
    """Run a command in a child that has everything imported; kill it after so many seconds.

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
            code = cryoflow(arguments)
        finally:
            os._exit(code)
    end = None if seconds is None else time.monotonic() + seconds
    while True:
        found, status = os.waitpid(child, os.WNOHANG if end is not None else 0)
        if found:
            return os.waitstatus_to_exitcode(status)
        if end is not None and time.monotonic() >= end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        time.sleep(0.002)


def step_command(project: Path, step: int) -> list[str]:
    """Return the command that runs one step of the chain."""
    where = ["--project", str(project), "--from", str(step), "--to", str(step)]
    return ["run", str(SPECS), *where, *VALUES]


def times_of(directory: Path) -> dict[Path, int]:
    """Return when each file of one micrograph or one iteration was made."""
    files = [*directory.glob("Micrographs/*"), *directory.glob("run_it*")]
    shown = [path for path in files if not path.name.startswith(".")]
    return {path: path.stat().st_mtime_ns for path in shown}


def kill_step(project: Path, step: int, alone: float, kills: int, chance: random.Random) -> Kills:
    """Kill one step so many times, letting it finish where it does, and compare with the one left alone."""
    directory = project / STEPS[step] / f"job{step:03d}"
    expected = read_record(directory)["outputs"]
    done = remade = different = 0
    finished = True
    while done < kills or not finished:
        if finished:
            shutil.rmtree(directory)
        before = times_of(directory)
        seconds = chance.uniform(0, 1.1 * alone) if done < kills else None
        code = in_child(step_command(project, step), seconds)
        remade += _remade(before, times_of(directory))
        finished = code is not None
        done += not finished
        if finished:
            different += _different(expected, directory) + (code or 0)
    return Kills(done, remade, different)


def _different(expected: list[dict[str, object]], directory: Path) -> int:
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
    for job in RUNNERS:
        runner(job)
    chance = random.Random(given.seed)
    lost = 0
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        simulate_project(project, options(given.micrographs))
        for step, job in STEPS.items():
            start = time.monotonic()
            if in_child(step_command(project, step)):
                sys.stderr.write(f"{job}/job{step:03d} failed without any kill\n")
                return 1
            alone = time.monotonic() - start
            found = kill_step(project, step, alone, given.kills, chance)
            lost += found.remade + found.different
            told = f"{found.kills} kills in {alone:.2f} s of work each, {found.remade} made again"
            sys.stdout.write(f"{job}/job{step:03d}: {told}, {found.different} different\n")
            sys.stdout.flush()
    return int(bool(lost))


if __name__ == "__main__":
    sys.exit(main())
