"""Sorting beside the bare transforms of its particles, and how long learnt scores take.

    benchmark.py sort [--particles 5000] [--box 64] [--references 4] [--angle 5] [--repeats 5]
                      [--micrographs 8] [--picks 600] [--aim 100000]

Z-scores: makes particles and references of noise in a temporary folder, angles those of a picker. The bare
cost is three real transforms of each particle, in batches as the job's: low-pass, back, and the power of what
is left. By turns with it, on one thread, the least of the repeats counts: features of pixels in memory, the
same with the reading of stacks, and the whole job with its tables.
Learnt scores: simulates micrographs, takes their objects and chance places as picks, and times the job's
share for half of them and for all, on all threads; the aimed number of particles is extrapolated from both.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from cryoflow.compute.image.masks import disc
from cryoflow.compute.image.rotate import padded_transform
from cryoflow.compute.parallel import keep_freed_memory
from cryoflow.compute.sort.features import features
from cryoflow.compute.sort.residual import MatchedReferences, residuals
from cryoflow.compute.sort.score import BATCH_PIXELS
from cryoflow.files.mrc import read_images, write_mrc
from cryoflow.files.star import read_star, write_star
from cryoflow.files.tables import read_particles
from cryoflow.jobs.inputs.references import read_references
from cryoflow.jobs.sort.particles import Particles, ctf_options, poses_of, read
from cryoflow.jobs.sort.resized_references import prepare
from cryoflow.jobs.sort.run import run
from cryoflow.jobs.sort.score_plan import plan_scores
from cryoflow.jobs.sort.scores import write_scores
from cryoflow.project.context import JobContext
from cryoflow.simulate.options import SimulateOptions
from cryoflow.simulate.project import CTF_TABLE, REFERENCES, simulate_project
from cryoflow.simulate.score import read_truth
from cryoflow.spec import Sort, parse_spec

PARTICLES, PIXEL_A, STACK = "Extract/job012/particles.star", 3.54, 600
OPTICS = {"rlnVoltage": 200.0, "rlnSphericalAberration": 1.4, "rlnAmplitudeContrast": 0.1}


class Case(NamedTuple):
    particles: int
    box: int
    references: int
    angle: float


def make_particles(root: Path, case: Case) -> None:
    """Particles of noise in stacks of 600, each stack of its own defocus."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: case.box, : case.box] - case.box // 2
    inside = np.hypot(y, x) < 0.4 * case.box
    blobs = rng.normal(size=(case.references, case.box, case.box)) * inside
    (root / "Extract/job012").mkdir(parents=True)
    write_mrc(root / "references.mrcs", blobs.astype(np.float32), PIXEL_A)
    tables = []
    for number, first in enumerate(range(0, case.particles, STACK)):
        size = min(STACK, case.particles - first)
        name = f"Extract/job012/mic{number:03d}.mrcs"
        write_mrc(root / name, rng.normal(size=(size, case.box, case.box)).astype(np.float32), PIXEL_A)
        names = [f"{image:06d}@{name}" for image in range(1, size + 1)]
        tables.append(pd.DataFrame({"rlnImageName": names}).assign(rlnDefocusU=10000.0 + 500 * number))
    rows = pd.concat(tables, ignore_index=True).assign(**OPTICS)
    rows["rlnMagnification"], rows["rlnDetectorPixelSize"] = 10000.0, PIXEL_A
    rows["rlnDefocusV"], rows["rlnDefocusAngle"] = rows["rlnDefocusU"] - 100, 30.0
    rows["rlnClassNumber"] = rng.integers(1, case.references + 1, len(rows))
    rows["rlnAnglePsi"] = case.angle * rng.integers(0, round(360 / case.angle), len(rows))
    write_star(root / PARTICLES, {"": rows})


def sort_spec(references: str, **scores: Any) -> Sort:
    io = {"input_particles_to_be_sorted": PARTICLES, "autopicking_references": references}
    spec = parse_spec({"job": "Sort", "io": io, "scores": scores})
    assert isinstance(spec, Sort)
    return spec


def context_of(root: Path) -> JobContext:
    directory = root / "Sort/job013"
    directory.mkdir(parents=True, exist_ok=True)
    return JobContext(root, directory)


def works_of(root: Path, case: Case) -> dict[str, Callable[[], object]]:
    """What is timed by turns, by name."""
    spec, context = sort_spec("references.mrcs"), context_of(root)
    stack = read_references(context, "references.mrcs")
    particles = read(spec, context, case.references)
    references = prepare(stack, None, PIXEL_A, case.box, context)
    transform = padded_transform(references.images.float())
    inside = disc(case.box, references.radius_squared)
    step = BATCH_PIXELS["cpu"] // case.box**2
    batches = [slice(first, first + step) for first in range(0, case.particles, step)]

    def images(batch: slice) -> torch.Tensor:
        return torch.from_numpy(read_images(particles.names[batch], root))

    pixels = [images(batch) for batch in batches]

    def bare() -> None:
        for part in pixels:
            back = torch.fft.irfft2(torch.fft.rfft2(part), s=part.shape[-2:])
            torch.fft.rfft2(back)

    def scores(parts: Callable[[int], torch.Tensor]) -> None:
        rows = particles.table.rows
        poses = poses_of(rows, particles.classes, "cpu")
        matched = MatchedReferences(transform, poses, ctf_options(spec, rows, PIXEL_A, "cpu"))
        for number, batch in enumerate(batches):
            origins = (poses.origin_y[batch], poses.origin_x[batch])
            features(residuals(parts(number), matched[batch], *origins), inside)

    return {
        "bare": bare,
        "from memory": lambda: scores(lambda number: pixels[number]),
        "with reading": lambda: scores(lambda number: images(batches[number])),
        "whole job": lambda: run(spec, context),
    }


def z_scores(root: Path, case: Case, repeats: int) -> str:
    make_particles(root, case)
    works = works_of(root, case)
    keep_freed_memory()  # as the job does
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(repeats + 1):  # the first warms up
        for name, work in works.items():
            times[name].append(seconds(work))
    least = {name: min(all_[1:]) for name, all_ in times.items()}
    bare = least.pop("bare")
    ratios = ", ".join(f"{name} {value:.3f} s ({value / bare:.1f})" for name, value in least.items())
    return (
        f"{case.particles} particles of {case.box} px, one thread: three bare transforms {bare:.3f} s\n"
        f"Z-scores and their ratio to that: {ratios}"
    )


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def make_picks(root: Path, options: SimulateOptions, picks: int) -> None:
    """All objects of each micrograph and chance places, as a table of particles without images."""
    simulate_project(root, options)
    rng = np.random.default_rng(0)
    micrographs = read_star(root / CTF_TABLE)[""]
    assert isinstance(micrographs, pd.DataFrame)
    tables = []
    for _, row in micrographs.iterrows():
        truth = read_truth(root, row["rlnMicrographName"]).xy
        others = rng.uniform(0, 1, (max(0, picks - len(truth)), 2)) * options.size[::-1]
        xy = np.concatenate((truth, others))[:picks]
        table = pd.DataFrame(xy, columns=["rlnCoordinateX", "rlnCoordinateY"]).assign(**row)
        table["rlnImageName"] = [
            f"{image:06d}@{row['rlnMicrographName']}s" for image in range(1, len(xy) + 1)
        ]
        tables.append(table)
    (root / PARTICLES).parent.mkdir(parents=True)
    write_star(root / PARTICLES, {"": pd.concat(tables, ignore_index=True).assign(rlnClassNumber=1)})


def learnt_scores(root: Path, micrographs: int, picks: int, aim: int) -> str:
    options = SimulateOptions(micrographs=micrographs, seed=500)
    make_picks(root, options, picks)
    spec = sort_spec(REFERENCES, learnt_scores=True, particle_diameter=options.diameter)
    context = context_of(root)
    stack, table = read_references(context, REFERENCES), read_particles(root / PARTICLES)
    particles = Particles(table, 2 * options.pixel_size, 64, np.ones(len(table.rows), np.int64), [])
    plan = plan_scores(spec, context, particles, stack)
    few = plan._replace(rows=plan.rows.iloc[: micrographs // 2 * picks])
    _, half, whole = (seconds(lambda given=given: write_scores(given, context)) for given in (few, few, plan))
    slope = (whole - half) / (len(plan.rows) - len(few.rows))
    aimed = whole + slope * (aim - len(plan.rows))
    return (
        f"learnt scores on {torch.get_num_threads()} threads: {len(few.rows)} particles {half:.2f} s, "
        f"{len(plan.rows)} particles {whole:.2f} s; {aim} would take {aimed:.0f} s"
    )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmark.py sort", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--particles", type=int, default=5000)
    parser.add_argument("--box", type=int, default=64)
    parser.add_argument("--references", type=int, default=4)
    parser.add_argument("--angle", type=float, default=5.0, help="between angles of the particles, degrees")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--micrographs", type=int, default=8, help="for the learnt scores; 0: none of these")
    parser.add_argument("--picks", type=int, default=600, help="a micrograph")
    parser.add_argument("--aim", type=int, default=100000, help="particles that the learnt scores shall do")
    given = parser.parse_args(arguments)
    case = Case(given.particles, given.box, given.references, given.angle)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(z_scores(Path(folder), case, given.repeats) + "\n")
    torch.set_num_threads(threads)
    if given.micrographs:
        with tempfile.TemporaryDirectory() as folder:
            text = learnt_scores(Path(folder), given.micrographs, given.picks, given.aim)
            sys.stdout.write(text + "\n")
    return 0
