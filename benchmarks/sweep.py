"""A sweep over picking thresholds and distances, once the maps are there, beside what it takes to begin.

    benchmark.py sweep [--points 100] [--repeats 2]            8 simulated micrographs of 1855 x 1919 pixels
    benchmark.py sweep --reference FOLDER                      those of the reference project bgal

Makes a project in a temporary folder, and the maps by a sweep of two points. Then times the command as a
user gives it, from the start of Python to its end, and beside it a process that only imports what the command
needs. Each repeat has a threshold that was not there before, and all its points are picked anew.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from parity.particles import link_files

from cryoflow.simulate.options import SimulateOptions
from cryoflow.simulate.project import simulate_project

SPEC = Path(__file__).parents[1] / "specs/tutorial/11_template_based.yaml"
INPUTS = ("CtfFind", "Micrographs", "Select", "truth")
IMPORTS = "import torch, pandas, hydra, cryoflow.jobs.autopick, cryoflow.launch.sweep.run"


def seconds(root: Path, command: Sequence[str]) -> float:
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *command], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return time.perf_counter() - start


def sweep(root: Path, thresholds: Sequence[float], distances: Sequence[int]) -> float:
    """Seconds of the whole command."""
    fields = {"picking_threshold": thresholds, "minimum_inter_particle_distance": distances}
    values = [f"{name}={','.join(map(str, of))}" for name, of in fields.items()]
    return seconds(root, ["-m", "cryoflow", "run", str(SPEC), "--multirun", *values])


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmark.py sweep", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--reference", type=Path, help="folder with the project bgal")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if given.reference is None:
            simulate_project(root, SimulateOptions())
        else:
            link_files(given.reference / "bgal", root, INPUTS)
        sweep(root, [0.3, 0.4], [100])
        rows = max(2, round(given.points**0.5))
        distances = [100 + 10 * place for place in range(given.points // rows)]
        for repeat in range(given.repeats):
            thresholds = [round(0.9 * place / rows, 3) for place in range(rows - 1)] + [0.9 + repeat / 1000]
            whole, bare = sweep(root, thresholds, distances), seconds(root, ["-c", IMPORTS])
            points = rows * len(distances)
            sys.stdout.write(
                f"{points} points: {whole:.1f} s, {1e3 * whole / points:.0f} ms a point; imports alone "
                f"{bare:.1f} s, {whole / bare:.1f} times that\n"
            )
            sys.stdout.flush()
    return 0
