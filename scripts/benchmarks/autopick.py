"""Picking with references beside the least that it could cost.

    benchmark.py autopick [--micrographs 4] [--size 3710 3838] [--references 4] [--shrink 0]
        [--template-error E] [--repeats 3]

Makes micrographs and references of noise in a temporary folder. The bare cost of a micrograph: reading its
bytes, two real FFTs of its size, and as many inverse FFTs of the work size as there are pairs of a reference
and an angle. It is measured by turns with the steps of the job, on one thread; the least of the repeats
counts. Whole jobs are run with 1 and with 2 workers of one thread; a process of its own tells the peak
memory.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from peak_memory import peaks_shown

from cryoflow.compute import correlate
from cryoflow.compute.peaks import Picks
from cryoflow.compute.work_grid import work_grid
from cryoflow.files.mrc import write_mrc
from cryoflow.files.star import write_star
from cryoflow.jobs.autopick import make_picker, run
from cryoflow.jobs.autopick.candidate_files import write_candidates
from cryoflow.jobs.autopick.micrographs import list_micrographs, read_micrograph
from cryoflow.jobs.autopick.output import write_coordinates
from cryoflow.project.context import JobContext
from cryoflow.spec import AutoPick, parse_spec

BOX = 64
DIAMETER_A = 180.0
BATCH_BYTES = 2 << 20
"""Of the bare inverse FFTs, few enough to stay in the caches."""


class Case(NamedTuple):
    micrographs: int
    height: int
    width: int
    pixel_a: float
    references: int
    angle: float
    shrink: float
    threshold: float
    merit: str
    error: float | None


def make_project(root: Path, case: Case) -> None:
    rng = np.random.default_rng(0)
    names = [f"Micrographs/mic{number:03d}.mrc" for number in range(case.micrographs)]
    for name in names:
        pixels = rng.normal(1000, 100, (case.height, case.width)).astype(np.int16)
        write_mrc(root / name, pixels, case.pixel_a, mode=1)
    y, x = np.mgrid[:BOX, :BOX] - BOX // 2
    inside = np.hypot(y, x) * DIAMETER_A * 1.2 / BOX < DIAMETER_A / 2
    blobs = rng.normal(size=(case.references, BOX, BOX)) * inside + 0.3 * inside
    write_mrc(root / "references.mrcs", blobs.astype(np.float32), DIAMETER_A * 1.2 / BOX)
    rows = pd.DataFrame({"rlnMicrographName": names}).assign(
        rlnDefocusU=10000.0, rlnDefocusV=10000.0, rlnDefocusAngle=0.0, rlnVoltage=200.0,
        rlnSphericalAberration=1.4, rlnAmplitudeContrast=0.1, rlnMagnification=10000.0,
        rlnDetectorPixelSize=case.pixel_a,
    )  # fmt: skip
    write_star(root / "micrographs.star", {"": rows})


def spec_of(case: Case, workers: int = 1) -> AutoPick:
    mapping: dict[str, Any] = {
        "job": "AutoPick",
        "io": {"input_micrographs_for_autopick": "micrographs.star", "reference_2d": "references.mrcs"},
        "references": {
            "mask_diameter": DIAMETER_A,
            "pixel_size_in_references": DIAMETER_A * 1.2 / BOX,
            "in_plane_angular_sampling": case.angle,
        },
        "autopicking": {
            "picking_threshold": case.threshold,
            "shrink_factor": case.shrink,
            "figure_of_merit": case.merit,
            "template_error": case.error,
        },
        "compute": {"threads": 1, "workers": workers},
    }
    spec = parse_spec(mapping)
    assert isinstance(spec, AutoPick)
    return spec


def job(root: Path, case: Case, workers: int, name: str) -> None:
    directory = root / "AutoPick" / name
    directory.mkdir(parents=True, exist_ok=True)
    run(spec_of(case, workers), JobContext(root, directory))


class Clock:
    """Seconds by step, the least of all repeats."""

    def __init__(self) -> None:
        self.least: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.note(name, time.perf_counter() - start)

    def note(self, name: str, seconds: float) -> None:
        self.least[name] = min(seconds, self.least.get(name, seconds))


def measure(root: Path, case: Case, repeats: int) -> tuple[Clock, Clock]:
    """The bare cost and the steps, of one micrograph."""
    context, spec = JobContext(root, root / "AutoPick"), spec_of(case)
    micrograph = list_micrographs(spec, context).micrographs[0]
    picker, _ = make_picker(spec, context, micrograph.pixel_size_a)
    picker.compute(micrograph, read_micrograph(context, micrograph))  # the references are ready then
    lowpass_a = spec.references.lowpass_filter_references
    grid = work_grid(case.height, case.width, case.pixel_a, lowpass_a, case.shrink)
    pairs = case.references * round(360 / case.angle)
    bare, steps = Clock(), Clock()
    for _ in range(repeats):
        measure_bare(bare, root / micrograph.name, case, (grid.rows, grid.columns), pairs)
        with steps.step("reading"):
            image = read_micrograph(context, micrograph)
        correlating = Clock()
        start = time.perf_counter()
        name = "_best_over_psi" if case.error is None else "best_over_psi"
        with patch.object(correlate, name, timed(correlating, getattr(correlate, name))):
            maps = picker.compute(micrograph, image)
        whole = time.perf_counter() - start
        steps.note("preparing", whole - correlating.least["sum"])
        steps.note("correlating", correlating.least["sum"])
        with steps.step("peak finding"):
            candidates = picker.candidates(micrograph, maps)
            assert candidates is not None
            picks = picker.pick_candidates(micrograph, candidates)
        with steps.step("writing"):
            write_all(root / "AutoPick", picks, candidates)
    return bare, steps


def write_all(folder: Path, picks: Picks, candidates: Any) -> None:
    write_coordinates(folder / "bare.star", picks, "3.0")
    write_candidates(folder / "bare.npz", candidates, {}, 0)


def timed(clock: Clock, function: Any) -> Any:
    clock.least["sum"] = 0

    def call(*arguments: Any) -> Any:
        start = time.perf_counter()
        found = function(*arguments)
        clock.least["sum"] += time.perf_counter() - start
        return found

    return call


def measure_bare(clock: Clock, path: Path, case: Case, work: tuple[int, int], pairs: int) -> None:
    with clock.step("bytes"):
        path.read_bytes()
    image = torch.ones(case.height, case.width)
    with clock.step("two FFTs"):
        torch.fft.rfft2(image)
        torch.fft.rfft2(image)
    rows, columns = work
    batch = max(1, min(pairs, BATCH_BYTES // (8 * rows * (columns // 2 + 1))))
    products = torch.ones(batch, rows, columns // 2 + 1, dtype=torch.complex64)
    with clock.step("inverse FFTs"):
        for start in range(0, pairs, batch):
            torch.fft.irfft2(products[: min(batch, pairs - start)], s=work)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmark.py autopick",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--micrographs", type=int, default=4)
    parser.add_argument("--size", type=int, nargs=2, default=(3710, 3838), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--pixel", type=float, default=0.885, help="A")
    parser.add_argument("--references", type=int, default=4)
    parser.add_argument("--angle", type=float, default=5.0, help="degrees")
    parser.add_argument("--shrink", type=float, default=0.0)
    parser.add_argument("--threshold", type=float, default=0.05)
    parser.add_argument("--merit", choices=("relion", "ncc"), default="relion")
    parser.add_argument("--template-error", type=float, help="low-rank templates; default: exact")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args(arguments)
    case = Case(
        given.micrographs,
        given.size[0],
        given.size[1],
        given.pixel,
        given.references,
        given.angle,
        given.shrink,
        given.threshold,
        given.merit,
        given.template_error,
    )
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        report(Path(folder), case, given.repeats)
    return 0


def report(root: Path, case: Case, repeats: int) -> None:
    make_project(root, case)
    bare, steps = measure(root, case, repeats)
    jobs = {}
    for workers in (1, 2):
        start = time.perf_counter()
        job(root, case, workers, f"job{workers:03d}")
        jobs[workers] = time.perf_counter() - start
    least, whole = sum(bare.least.values()), sum(steps.least.values())
    lines = [
        f"{case.height} x {case.width} pixels, {case.references} references, {case.angle:g} degrees, "
        f"shrink {case.shrink:g}, figure of merit {case.merit}"
        + ("" if case.error is None else f", template error {case.error:g}"),
        f"bare cost of a micrograph: {least:.3f} s ("
        + ", ".join(f"{name} {value:.3f}" for name, value in bare.least.items()) + ")",
        f"steps of the job: {whole:.3f} s, {whole / least:.2f} times that ("
        + ", ".join(f"{name} {value:.3f}" for name, value in steps.least.items()) + ")",
        *(
            f"job, workers {workers}: {case.micrographs / spent:.2f} micrographs a second"
            for workers, spent in jobs.items()
        ),
        f"2 workers are {jobs[1] / jobs[2]:.2f} times as fast as 1",
        peaks_shown(job, root, case, 1, "memory"),
    ]  # fmt: skip
    sys.stdout.write("\n".join(lines) + "\n")
