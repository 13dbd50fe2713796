"""Extraction beside the bare reading of its micrographs and writing of its stacks.

    benchmark.py extract [--micrographs 8] [--particles 600] [--box 128] [--rescaled 64] [--repeats 3]

Makes micrographs of noise in a temporary folder. In one run it takes, by turns, the bare time (read every
micrograph, write every stack's bytes plainly), the whole job with 1 worker of 1 thread, and the job with as
many workers of 1 thread as asked for; the least of the repeats counts. Where the job's time goes is measured
in a run of its own. A process of its own tells the peak memory (Linux).
"""

from __future__ import annotations

import argparse
import functools
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from cryoflow.compute import extract as compute
from cryoflow.files.mrc import read_image, read_layout, write_mrc
from cryoflow.files.star import write_star
from cryoflow.jobs.extract import run, stack
from cryoflow.project.context import JobContext
from cryoflow.spec import Extract, parse_spec

PIXEL = 1.77
STEPS = {
    "reading": [(stack, "read_image"), (stack, "read_coordinates"), (stack, "read_header")],
    "cutting": [(compute, "pad_edges"), (compute, "cut")],
    "rescaling": [(compute, "rescale")],
    "normalising": [(compute, "normalize")],
    "writing": [(stack, "write_mrc"), (stack, "write_table")],
    "checking": [(stack, "_background")],
}
"""Functions of the job, as the modules that call them know them."""


class Case(NamedTuple):
    micrographs: int
    particles: int
    size: tuple[int, int]
    box: int
    rescaled: int


def make_project(root: Path, case: Case) -> None:
    rng = np.random.default_rng(0)
    height, width = case.size
    names = [f"MotionCorr/job002/Micrographs/mic{i:03d}.mrc" for i in range(case.micrographs)]
    for name in names:
        pixels = rng.normal(1000, 100, case.size).astype(np.int16)
        write_mrc(root / name, pixels, PIXEL, mode=1)
        places = rng.uniform(0, 1, (case.particles, 2)) * (width, height)
        picks = pd.DataFrame(places, columns=["rlnCoordinateX", "rlnCoordinateY"])
        write_star(root / f"AutoPick/job011/Micrographs/{Path(name).stem}_autopick.star", {"": picks})
    rows = pd.DataFrame({"rlnMicrographName": names}).assign(
        rlnDefocusU=10000.0, rlnVoltage=200.0, rlnSphericalAberration=1.4, rlnAmplitudeContrast=0.1,
        rlnMagnification=10000.0, rlnDetectorPixelSize=PIXEL,
    )  # fmt: skip
    write_star(root / "CtfFind/job003/micrographs_ctf.star", {"": rows})
    (root / "AutoPick/job011/coords_suffix_autopick.star").write_text("CtfFind/job003/micrographs_ctf.star\n")


def job(root: Path, case: Case, workers: int, name: str) -> None:
    mapping: dict[str, Any] = {
        "job": "Extract",
        "io": {
            "micrograph_star_file": "CtfFind/job003/micrographs_ctf.star",
            "input_coordinates": "AutoPick/job011/coords_suffix_autopick.star",
        },
        "extract": {"particle_box_size": case.box},
        "compute": {"threads": 1, "workers": workers},
    }
    if case.rescaled != case.box:
        mapping["extract"] |= {"rescale_particles": True, "re_scaled_size": case.rescaled}
    spec = parse_spec(mapping)
    assert isinstance(spec, Extract)
    directory = root / "Extract" / name
    directory.mkdir(parents=True, exist_ok=True)
    run(spec, JobContext(root, directory))


def bare(root: Path, done: list[Path], target: Path) -> None:
    """Read the micrographs, and write as many bytes as the stacks have, stack by stack."""
    for path in sorted((root / "MotionCorr/job002/Micrographs").glob("*.mrc")):
        read_image(path)
    target.mkdir(exist_ok=True)
    for path in done:
        header = read_layout(path).header
        pixels = np.zeros(header.nz * header.ny * header.nx, np.float32)
        with (target / path.name).open("wb") as file:
            file.write(bytes(1024))
            file.write(pixels.data)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@contextmanager
def timed() -> Iterator[dict[str, float]]:
    """Time the job's steps, on one thread; a step inside another counts for the outer one."""
    spent: dict[str, float] = defaultdict(float)
    inside: list[str] = []

    def wrap(step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            if inside:
                return function(*arguments, **named)
            inside.append(step)
            start = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                spent[step] += time.perf_counter() - start
                inside.clear()

        return call

    kept = [(place, name, getattr(place, name)) for step in STEPS.values() for place, name in step]
    for step, functions in STEPS.items():
        for place, name in functions:
            setattr(place, name, wrap(step, getattr(place, name)))
    try:
        yield spent
    finally:
        for place, name, function in kept:
            setattr(place, name, function)


def peak_mb(root: Path, case: Case) -> tuple[float, float]:
    """Peak memory of a process that runs the job, and of one that only imports it."""
    code = (
        "import sys; sys.path.insert(0, {here!r}); from pathlib import Path\n"
        "from benchmarks.extract import Case, job\n{work}\n"
        "status = Path('/proc/self/status').read_text().split('VmHWM:')[1]\nprint(status.split()[0])"
    )
    here = str(Path(__file__).parents[1])
    works = (f"job(Path({str(root)!r}), Case{tuple(case)!r}, 1, 'job090')", "pass")
    found = [
        subprocess.run(
            [sys.executable, "-c", code.format(here=here, work=work)],
            capture_output=True,
            check=True,
            text=True,
        )
        for work in works
    ]
    return int(found[0].stdout) / 1024, int(found[1].stdout) / 1024


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmark.py extract", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--micrographs", type=int, default=8)
    parser.add_argument("--particles", type=int, default=600, help="a micrograph")
    parser.add_argument("--size", type=int, nargs=2, default=(1855, 1919), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--box", type=int, default=128)
    parser.add_argument("--rescaled", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args(arguments)
    case = Case(given.micrographs, given.particles, tuple(given.size), given.box, given.rescaled)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        report(Path(folder), case, given.workers, given.repeats)
    return 0


def report(root: Path, case: Case, workers: int, repeats: int) -> None:
    make_project(root, case)
    job(root, case, 1, "job001")  # torch warms up
    done = sorted((root / "Extract/job001/Micrographs").glob("*.mrcs"))
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(repeats):
        times["bare"].append(seconds(lambda: bare(root, done, root / "bare")))
        times["one"].append(seconds(lambda: job(root, case, 1, "job002")))
        times["many"].append(seconds(lambda: job(root, case, workers, "job003")))
    plain, one, many = (min(times[name]) for name in ("bare", "one", "many"))
    with timed() as spent:
        whole = seconds(lambda: job(root, case, 1, "job004"))
    spent["the rest"] = whole - sum(spent.values())
    sizes = f"{case.box} px" + (f" to {case.rescaled}" if case.rescaled != case.box else "")
    written = sum(path.stat().st_size for path in done) / 2**20
    lines = [
        f"{case.micrographs} micrographs of {case.size[0]} x {case.size[1]}, "
        f"{case.particles} particles each, {sizes}; {written:.0f} MiB written",
        f"reading and writing the same bytes plainly: {plain:.3f} s",
        f"job, 1 worker: {one:.3f} s, {one / plain:.1f} times that",
        f"job, {workers} workers: {many:.3f} s, {one / many:.2f} times as fast as 1",
        "1 worker: " + ", ".join(f"{step} {value / whole:.0%}" for step, value in spent.items()),
        "peak memory: {:.0f} MiB, {:.0f} of them for the program itself".format(*peak_mb(root, case)),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
