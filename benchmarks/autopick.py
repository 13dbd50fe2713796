"""Picking with references beside the least that it could cost.

    benchmark.py autopick [--micrographs 8] [--size 3710 3838] [--references 4] [--shrink 0]
        [--template-error E] [--map] [--repeats 3]
    benchmark.py autopick --map --size 4096 4096 --micrographs 2 --template-error 0.1
        many pairs: the 12 projections of a map of symmetry D2, 72 angles

Makes micrographs and references of noise in a temporary folder; with --map references are projections of a
made-up map and micrographs show its particles, so that picks with a template error can be compared with those
of all pairs. The bare cost of a micrograph: reading its
bytes, two real FFTs of its size, and as many inverse FFTs of the work size as there are pairs of a reference
and an angle. It is measured by turns with the steps of the job, on one thread; the least of the repeats
counts. Whole jobs are run with 1 and with 2 workers of one thread, by turns, and as many bare costs on as
many threads: what these gain is what the machine allows. Picks are made again from the job's candidates at
other thresholds. A process of its own tells the peak memory.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks._peak_memory import peaks_shown
from benchmarks.autopick_parts.accuracy import accuracy_shown
from benchmarks.autopick_parts.project import Case, job, make_project
from benchmarks.autopick_parts.steps import Clock, measure
from benchmarks.autopick_parts.whole_jobs import pick_again, picked_alike, speeds
from cryoflow.compute.parallel import keeping_large_images

PROJECTIONS = 12
"""Of a map of symmetry D2, 30 degrees apart."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmark.py autopick",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--micrographs", type=int, default=8)
    parser.add_argument("--size", type=int, nargs=2, default=(3710, 3838), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--pixel", type=float, default=0.885, help="A")
    parser.add_argument("--references", type=int, default=4)
    parser.add_argument("--angle", type=float, default=5.0, help="degrees")
    parser.add_argument("--shrink", type=float, default=0.0)
    parser.add_argument("--threshold", type=float, default=0.1)
    parser.add_argument("--merit", choices=("relion", "ncc"), default="relion")
    parser.add_argument("--template-error", type=float, help="low-rank templates; default: exact")
    parser.add_argument("--map", action="store_true", help="12 projections of a map, not noise")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args(arguments)
    case = Case(
        given.micrographs,
        given.size[0],
        given.size[1],
        given.pixel,
        PROJECTIONS if given.map else given.references,
        given.angle,
        given.shrink,
        given.threshold,
        given.merit,
        given.template_error,
        given.map,
    )
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        report(Path(folder), case, given.repeats)
    return 0


def report(root: Path, case: Case, repeats: int) -> None:
    make_project(root, case)
    with keeping_large_images():  # as the job does
        bare, steps = measure(root, case, repeats)
        each = speeds(root, case, repeats).least
    least, whole = sum(bare.least.values()), sum(steps.least.values())
    again = pick_again(root, case)
    lines = [
        f"{case.height} x {case.width} pixels, {case.references} references, {case.angle:g} degrees, "
        f"shrink {case.shrink:g}, figure of merit {case.merit}"
        + ("" if case.error is None else f", template error {case.error:g}"),
        f"bare cost of a micrograph: {least:.3f} s ({_listed(bare)})",
        f"steps of the job: {whole:.3f} s, {whole / least:.2f} times that ({_listed(steps)})",
        f"correlating: {steps.least['correlating'] / bare.least['inverse FFTs']:.2f} times "
        "the inverse FFTs of all pairs",
        *([] if case.error is None else [accuracy_shown(root, case)]),
        *(
            f"job, workers {workers}: {1 / each[f'job {workers}']:.2f} micrographs a second"
            for workers in (1, 2)
        ),
        f"2 workers are {each['job 1'] / each['job 2']:.2f} times as fast as 1 "
        f"({case.micrographs} micrographs), "
        f"bare costs on 2 threads {each['bare 1'] / each['bare 2']:.2f} times; "
        + ("the picks are the same" if picked_alike(root) else "THE PICKS DIFFER"),
        f"picks again from the {again.candidates} candidates of {case.micrographs} micrographs: "
        + ", ".join(f"{1000 * spent:.0f} ms at {threshold:g}" for threshold, spent in again.seconds.items()),
        peaks_shown(job, root, case, 1, "memory"),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _listed(clock: Clock) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in clock.least.items())
