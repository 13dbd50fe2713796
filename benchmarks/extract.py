"""Extraction beside the bare reading of its micrographs and writing of its stacks.

    benchmark.py extract [--micrographs 16] [--particles 300] [--box 256] [--rescaled 64] [--repeats 3]

Makes micrographs of noise, of the tutorial's size, in a temporary folder (under $TMPDIR). In one run it
takes, by turns, the bare time (read every micrograph, write the job's own bytes plainly), the whole job with
1 worker of 1 thread, and the job with as many workers of 1 thread as asked for, each into a folder of its
own; the least of the repeats counts. First from disk to disk: the micrographs are dropped from the cache
before, and what was written is flushed after, by the bare work and the job alike. Then with the micrographs
in the system's cache and what is written left there, and beside it the bare transforms: what rescaling all
particles takes if each transform finds its numbers row after row in memory. Where the job's time goes is
measured in a run of its own. A process of its own tells the peak memory (Linux).
"""

from __future__ import annotations

import argparse
import functools
import os
import shutil
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

from benchmarks._peak_memory import peaks_shown
from cryoflow.compute.extract import particles as compute
from cryoflow.files.mrc import read_image, write_mrc
from cryoflow.files.star import write_star
from cryoflow.jobs.extract import stack
from cryoflow.jobs.extract.run import run
from cryoflow.project.context import JobContext
from cryoflow.spec import Extract, parse_spec

PIXEL = 1.77
STEPS = {
    "reading": [(stack, "fetch"), (stack, "map_image"), (stack, "read_coordinates")],
    "cutting": [(compute, "cut")],
    "rescaling": [(compute, "rescale")],
    "normalising": [(compute, "normalize")],
    "stacks": [(stack, "write_stack")],
    "checking": [(stack, "_departures")],
    "tables": [(stack, "particle_rows"), (stack, "write_table")],
}
"""Functions of the job, as the modules that call them know them."""


class Case(NamedTuple):
    micrographs: int
    particles: int
    size: tuple[int, int]
    box: int
    rescaled: int
    mode: int
    """MRC mode of the micrographs."""


def make_project(root: Path, case: Case) -> None:
    rng = np.random.default_rng(0)
    height, width = case.size
    names = [f"MotionCorr/job002/Micrographs/mic{i:03d}.mrc" for i in range(case.micrographs)]
    for name in names:
        write_mrc(root / name, np.rint(rng.normal(1000, 100, case.size)), PIXEL, case.mode)
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


def bare(root: Path, written: dict[Path, bytes], target: Path) -> None:
    """Read the micrographs into memory, one by one, and write the bytes of the job."""
    for path in micrographs(root):
        read_image(path)
    for name, content in written.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(content)


def transforms(case: Case) -> None:
    """Nothing but the transforms that shrink the particles of a job, as many at a time as the job takes."""
    number, half = max(1, compute.AT_ONCE["cpu"] // case.box**2), case.rescaled // 2 + 1
    windows = torch.zeros(number, case.box, case.box)
    rows = torch.zeros(number, half, case.box, dtype=torch.complex64)
    columns, small = rows[..., : case.rescaled].clone(), rows.new_zeros(number, case.rescaled, half)
    for _ in range(0, case.micrographs * case.particles, number):
        torch.fft.rfft(windows)
        torch.fft.fft(rows)
        torch.fft.ifft(columns)
        torch.fft.irfft(small)


def micrographs(root: Path) -> list[Path]:
    return sorted((root / "MotionCorr/job002/Micrographs").glob("*.mrc"))


def forget(path: Path) -> None:
    """Take a file that is safe on disk out of the system's cache."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def flush(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@contextmanager
def timed() -> Iterator[dict[str, float]]:
    """Time the job's steps, on one thread; a step inside another does not count for the outer one."""
    spent: dict[str, float] = defaultdict(float)
    inside: list[float] = []

    def wrap(step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            inside.append(0.0)
            start = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                whole = time.perf_counter() - start
                spent[step] += whole - inside.pop()
                if inside:
                    inside[-1] += whole

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


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmark.py extract", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--micrographs", type=int, default=16)
    parser.add_argument("--particles", type=int, default=300, help="a micrograph")
    parser.add_argument("--size", type=int, nargs=2, default=(3710, 3838), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--box", type=int, default=256)
    parser.add_argument("--rescaled", type=int, default=64)
    parser.add_argument(
        "--mode", type=int, choices=(1, 2), default=2, help="of the micrographs: int16, float32"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args(arguments)
    case = Case(given.micrographs, given.particles, tuple(given.size), given.box, given.rescaled, given.mode)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        report(Path(folder), case, given.workers, given.repeats)
    return 0


def measure(root: Path, case: Case, workers: int, repeats: int, disk: bool) -> tuple[float, float, float]:
    """Least seconds of the bare work, and of the job with 1 and with more workers."""
    done = root / "Extract/job001"
    written = {
        path.relative_to(done): path.read_bytes() for path in sorted(done.rglob("*.*")) if path.is_file()
    }
    works: dict[str, Callable[[], None]] = {
        "bare": lambda: bare(root, written, root / "Extract/bare"),
        "one": lambda: job(root, case, 1, "one"),
        "many": lambda: job(root, case, workers, "many"),
    }
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(repeats):
        for name, work in works.items():
            folder = root / "Extract" / name
            for path in micrographs(root) if disk else ():
                forget(path)
            start = time.perf_counter()
            work()
            if disk:
                flush(folder)
            times[name].append(time.perf_counter() - start)
            shutil.rmtree(folder)
    bare_s, one, many = (min(values) for values in times.values())
    return bare_s, one, many


def report(root: Path, case: Case, workers: int, repeats: int) -> None:
    make_project(root, case)
    for path in micrographs(root):
        with path.open("rb+") as file:
            os.fsync(file.fileno())  # only what is safe on disk can be dropped from the cache
    job(root, case, 1, "job001")  # torch warms up
    on_disk, cached = (measure(root, case, workers, repeats, disk) for disk in (True, False))
    rescaling = min(seconds(lambda: transforms(case)) for _ in range(repeats))
    with timed() as spent:
        whole = seconds(lambda: job(root, case, 1, "job004"))
    spent["the rest"] = whole - sum(spent.values())
    sizes = f"{case.box} px" + (f" to {case.rescaled}" if case.rescaled != case.box else "")
    read, written = (
        sum(path.stat().st_size for path in paths) / 2**20
        for paths in (micrographs(root), (root / "Extract/job001").rglob("*.mrcs"))
    )
    lines = [
        f"{case.micrographs} micrographs of {case.size[0]} x {case.size[1]}, "
        f"{case.particles} particles each, {sizes}; {read:.0f} MiB read, {written:.0f} MiB written",
    ]
    for where, (plain, one, many) in {"from disk to disk": on_disk, "in the cache": cached}.items():
        lines.append(f"{where}: bare {plain:.3f} s")
        lines.append(f"    job, 1 worker: {one:.3f} s, {one / plain:.2f} times that")
        more = f"{many / plain:.2f} times that, {one / many:.2f} times as fast as 1"
        lines.append(f"    job, {workers} workers: {many:.3f} s, {more}")
    if case.rescaled < case.box:
        both = cached[0] + rescaling
        lines += [
            f"    bare transforms: {rescaling:.3f} s, {rescaling / cached[0]:.2f} times the bare time",
            f"    job, 1 worker: {cached[1] / both:.2f} times bare work and bare transforms together",
        ]
    lines += [
        "1 worker: " + ", ".join(f"{step} {value / whole:.0%}" for step, value in spent.items()),
        peaks_shown(job, root, case, 1, "job090"),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
