"""Classification beside its bare matrix products.

    benchmark.py class2d [--particles 2000] [--classes 20] [--iterations 5] [--box 64] [--threads 2]
    benchmark.py class2d --reference FOLDER        the particles of job012b of the reference project bgal
    benchmark.py class2d --particles 1000 5000 20000 50000    how time and memory grow, two lines for each
    benchmark.py class2d --classes 10 50 100 200              the same
    benchmark.py class2d --agree        two runs, in single and double precision, or on CPU and GPU

Simulates particles in a temporary folder. Each run has a process of its own, which tells its peak memory
(Linux). The products of all E-steps are noted, shape by shape, and up to 0.4 Tflop of them multiplied again
with random numbers, in as many threads, right after the run. Reading is part of the E-step; with several
threads it is the sum over them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import torch
from parity.particles import extract_again

from benchmarks.class2d_parts.measure import Case, Measured, measure
from benchmarks.class2d_parts.particles import TABLE, Sample, make_particles
from benchmarks.class2d_parts.partitions import adjusted_rand_index, matched_agreement
from cryoflow.files.tables import read_particles

MASK_A = {"reference": 200.0, "simulated": 170.0}
LEAST_MATCHED, LEAST_RAND = 0.97, 0.93
"""Tolerance of two runs of about five iterations; every further one lets differences in rounding grow."""


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def report(case: Case, particles: int, box: int, found: Measured) -> None:
    steps = found.steps | {"the rest": found.whole - sum(found.steps.values())}
    each = found.whole / case.iterations
    tell(
        f"{particles} particles of {box} px, {case.classes} classes, {case.iterations} iterations, "
        f"{case.threads} threads, {case.device}: {found.whole:.1f} s, {each:.2f} s an iteration "
        f"(first {found.iterations[0]:.2f}, last {found.iterations[-1]:.2f}); "
        + ", ".join(f"{name} {value:.2f} s" for name, value in steps.items())
        + f"; of the E-step {found.reading:.2f} s reading"
    )
    tell(
        f"  its products alone: {found.products:.2f} s ({found.flop / 1e12:.2f} Tflop), E-step "
        f"{found.steps['E-step'] / max(found.products, 1e-9):.2f} times that; peak memory "
        f"{found.peak_mib:.0f} MiB, {found.base_mib:.0f} of them for the program itself"
    )


def agree(case: Case) -> bool:
    """Classify twice and compare the classes of all particles; False when they agree too little."""
    other = case._replace(device="cuda") if torch.cuda.is_available() else case._replace(precision="double")
    labels = []
    for job, each in ((case.job, case), (f"{case.job}_again", other)):
        measure(each._replace(job=job))
        path = Path(case.project) / f"Class2D/{job}/run_it{case.iterations:03d}_data.star"
        labels.append(torch.tensor(read_particles(path).rows["rlnClassNumber"].to_numpy()) - 1)
    matched, rand = matched_agreement(labels[0], labels[1]), adjusted_rand_index(labels[0], labels[1])
    tell(
        f"{case.device} in {case.precision} precision against {other.device} in {other.precision} precision: "
        f"{matched:.4f} of the particles in corresponding classes (at least {LEAST_MATCHED}), adjusted Rand "
        f"index {rand:.4f} (at least {LEAST_RAND})"
    )
    return matched >= LEAST_MATCHED and rand >= LEAST_RAND


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmark.py class2d", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--particles", type=int, nargs="+", default=[2000])
    parser.add_argument("--classes", type=int, nargs="+", default=[20])
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--box", type=int, default=64)
    parser.add_argument("--snr", type=float, default=0.05)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--search", choices=("adaptive", "exhaustive"), default="adaptive")
    parser.add_argument("--reference", type=Path, help="folder with the project bgal")
    parser.add_argument("--agree", action="store_true")
    given = parser.parse_args(arguments)
    good = True
    for number in given.particles if given.reference is None else [1614]:
        with tempfile.TemporaryDirectory() as folder:
            good &= run(given, Path(folder), number)
    return 0 if good else 1


def run(given: argparse.Namespace, folder: Path, number: int) -> bool:
    good = True
    table, box, mask = TABLE, given.box, MASK_A["simulated"] * given.box / 64
    if given.reference is not None:
        table, box, mask = "Extract/job012b/particles.star", 64, MASK_A["reference"]
        extract_again(given.reference / "bgal", "job012b", folder)
    else:
        make_particles(folder, Sample(number, box, given.snr))
    for place, classes in enumerate(given.classes):
        case = Case(
            str(folder), table, classes, given.iterations, given.threads, mask, given.device,
            search=given.search, job=f"job{100 + place}",
        )  # fmt: skip
        if given.agree:
            good &= agree(case)
        else:
            report(case, number, box, measure(case, products=True))
    return good
